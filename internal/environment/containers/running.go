package containers

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// running is a container from one start until it has ended.
type running struct {
	*host
	*made
	pid   int
	ended client.ContainerWaitResult
	done  func() // nobody waits for the end any more
	code  int64
	lost  error // why nobody knows how it ended
}

// start starts the container. What it prints, and that it ended, is asked for before, so that nothing is missed.
func (h *host) start(ctx context.Context, m *made, output *os.File) (*running, error) {
	fail := func(what string, err error) (*running, error) {
		output.Close()
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	logs, err := h.engine.ContainerAttach(ctx, m.id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return fail("attach to container", err)
	}
	waited, stopWaiting := context.WithCancel(h.life)
	r := &running{host: h, made: m, done: stopWaiting}
	r.ended = h.engine.ContainerWait(waited, m.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err = h.engine.ContainerStart(ctx, m.id, client.ContainerStartOptions{}); err != nil {
		logs.Close()
		stopWaiting()
		r.Wait()              // nobody else would
		if ctx.Err() != nil { // it may have been started all the same
			dead, cancel := context.WithTimeout(h.life, connectWithin)
			defer cancel()
			_, _ = h.engine.ContainerKill(dead, m.id, client.ContainerKillOptions{Signal: "SIGKILL"})
		}
		return fail("start container", err)
	}
	unhook := context.AfterFunc(h.life, logs.Close)
	go func() {
		defer output.Close()
		defer logs.Close()
		defer unhook()
		_, _ = stdcopy.StdCopy(output, output, logs.Reader) // ends with the container
	}()
	state, err := r.state(ctx)
	if err == nil {
		r.pid = state.Pid // 0 if it has ended already
	}
	return r, nil
}

func (r *running) PID() int { return r.pid }

func (r *running) state(ctx context.Context) (container.State, error) {
	inspected, err := r.engine.ContainerInspect(ctx, r.id, client.ContainerInspectOptions{})
	if err != nil {
		return container.State{}, fmt.Errorf("look at container: %w", err)
	}
	if inspected.Container.State == nil {
		return container.State{}, fmt.Errorf("look at container %s: the engine tells no state", r.id)
	}
	return *inspected.Container.State, nil
}

// Signal tells the engine. Freezing and thawing are its own, of everything in the container; any other signal goes to the first process,
// whose end is that of all.
func (r *running) Signal(ctx context.Context, sig syscall.Signal) error {
	var err error
	switch sig {
	case syscall.SIGSTOP:
		_, err = r.engine.ContainerPause(ctx, r.id, client.ContainerPauseOptions{})
	case syscall.SIGCONT:
		_, err = r.engine.ContainerUnpause(ctx, r.id, client.ContainerUnpauseOptions{})
	case syscall.SIGTERM:
		_, err = r.engine.ContainerKill(ctx, r.id, client.ContainerKillOptions{Signal: r.stop})
	default:
		_, err = r.engine.ContainerKill(ctx, r.id, client.ContainerKillOptions{Signal: "SIGKILL"})
	}
	if err == nil || notRunning(err) { // it has ended, and Wait is about to say so
		return nil
	}
	if shown, _ := r.Shows(ctx, sig); shown {
		return nil // it was paused, or not, before
	}
	return fmt.Errorf("signal container: %w", err)
}

func (r *running) Shows(ctx context.Context, sig syscall.Signal) (bool, error) {
	if sig != syscall.SIGSTOP && sig != syscall.SIGCONT {
		return false, nil
	}
	state, err := r.state(ctx)
	return err == nil && state.Running && state.Paused == (sig == syscall.SIGSTOP), err
}

// Wait waits for the engine to say that the container has ended. If the engine cannot be asked any more it is asked again: that nobody
// answers does not mean that anything has ended.
func (r *running) Wait() {
	for {
		select {
		case ended := <-r.ended.Result:
			r.code = ended.StatusCode
			return
		case err := <-r.ended.Error:
			if r.life.Err() != nil || errdefs.IsNotFound(err) || errdefs.IsCanceled(err) {
				r.lost = err
				return
			}
		}
		select {
		case <-r.life.Done():
		case <-time.After(50 * time.Millisecond):
		}
		r.ended = r.engine.ContainerWait(r.life, r.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	}
}

func (r *running) Reap() string {
	defer r.done()
	if r.lost != nil {
		return fmt.Sprintf("gone: %v", r.lost)
	}
	how := fmt.Sprintf("exit status %d", r.code)
	if n := r.code - 128; n > 0 && n < 65 {
		how += ": " + syscall.Signal(n).String()
	}
	ctx, cancel := context.WithTimeout(r.life, connectWithin)
	defer cancel()
	if state, err := r.state(ctx); err == nil && state.OOMKilled {
		how += ", out of memory"
	}
	return how
}
