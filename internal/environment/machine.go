package environment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// machine is the host that runs components as processes of this machine, each as the leader of a group of its own.
type machine struct {
	undo  Undo
	forks *forker

	mu    sync.Mutex
	ports *Reserved // until the first component starts
}

// NewMachine makes a host of processes.
func NewMachine(_ context.Context, site Site) (Host, error) {
	return newMachine(site.Undo), nil
}

func newMachine(undo Undo) *machine { return &machine{undo: undo, forks: newForker()} }

// Place gives each component two loopback ports.
func (m *machine) Place(_ context.Context, wants []Want) (map[string]Place, error) {
	ports, err := Ports(2 * len(wants))
	if err != nil {
		return nil, err
	}
	places := map[string]Place{}
	for i, w := range wants {
		places[w.Name] = Place{Listen: ports.Addr(2 * i), Control: ports.Addr(2*i + 1), Near: Loopback}
	}
	m.mu.Lock()
	m.ports = ports
	m.mu.Unlock()
	return places, nil
}

// Contained is false: processes share the machine.
func (m *machine) Contained() bool { return false }

// Prepare has nothing to do.
func (m *machine) Prepare(context.Context, []Process) error { return nil }

// release frees the ports that were kept, just before the components that listen on them are started.
func (m *machine) release() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports == nil {
		return nil
	}
	err := m.ports.Release()
	m.ports = nil
	return err
}

// Start starts a process.
func (m *machine) Start(_ context.Context, p Process, output *os.File) (Running, error) {
	defer output.Close() // the process has its own
	if err := m.release(); err != nil {
		return nil, err
	}
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = p.Dir, append(os.Environ(), p.Env...), attributes()
	if m.undo != nil {
		cmd.Env = append(cmd.Env, m.undo.Mark())
	}
	cmd.Stdout, cmd.Stderr = output, output
	if err := m.forks.do(cmd.Start); err != nil {
		return nil, err
	}
	r := &process{cmd: cmd, pid: cmd.Process.Pid, undo: m.undo}
	if m.undo != nil {
		if err := m.undo.Process(r.pid, p.Name); err != nil {
			_ = syscall.Kill(-r.pid, syscall.SIGKILL)
			r.Wait()
			r.Reap()
			return nil, err
		}
	}
	return r, nil
}

// Images has nothing to say of processes.
func (m *machine) Images() map[string]string { return nil }

// Close ends the thread that processes were started from.
func (m *machine) Close(context.Context) error {
	m.forks.stop()
	return m.release()
}

// process is one process and its group.
type process struct {
	cmd  *exec.Cmd
	pid  int // and its process group
	undo Undo
}

func (r *process) PID() int { return r.pid }

func (r *process) Signal(_ context.Context, sig syscall.Signal) error {
	if sig == syscall.SIGTERM { // whoever drains tells his children himself
		if err := syscall.Kill(-r.pid, sig); err != nil {
			return fmt.Errorf("signal process group %d: %w", r.pid, err)
		}
		return nil
	}
	return signalFamily(r.pid, sig)
}

func (r *process) Shows(_ context.Context, sig syscall.Signal) (bool, error) {
	return everyThread(r.pid, func(state string) bool { return (state == "T") == (sig == syscall.SIGSTOP) })
}

// Wait leaves a zombie: its id, and that of its group, is still taken.
func (r *process) Wait() { awaitExit(r.pid) }

func (r *process) Reap() string {
	_ = syscall.Kill(-r.pid, syscall.SIGKILL) // children that it left behind go with it, as they do in a container
	_ = r.cmd.Wait()                          // returns at once; how it ended is in its state
	if r.undo != nil {
		// If this fails, cleaning looks for a process that is gone, and finds that it is.
		_ = r.undo.ProcessGone(r.pid)
	}
	return r.cmd.ProcessState.String()
}
