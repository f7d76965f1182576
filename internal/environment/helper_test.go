package environment_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/environment"
)

// The test binary is every component of these tests: TEST_COMPONENT says which.
func TestMain(m *testing.M) {
	if kind := os.Getenv("TEST_COMPONENT"); kind != "" {
		components[kind](os.Args[1:])
		return
	}
	goleak.VerifyTestMain(m)
}

var components = map[string]func(args []string){
	// serves on a port until it is terminated
	"server": func(args []string) {
		fmt.Println("hello from the server")
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM) // before it can be called, and so be ready
		serve(args[0])
		<-term
		fmt.Println("drained")
	},
	// serves, and does not listen to SIGTERM
	"stubborn": func(args []string) {
		signal.Ignore(syscall.SIGTERM)
		serve(args[0])
		select {}
	},
	// runs and never serves
	"mute": func([]string) {
		fmt.Println("thinking")
		time.Sleep(time.Hour) // an empty select would be found to be a deadlock
	},
	// says something and dies: exit code, lines
	"failing": func(args []string) {
		lines, _ := strconv.Atoi(args[1])
		for i := range lines {
			fmt.Fprintf(os.Stderr, "line %d\n", i+1)
		}
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	},
	// prints megabytes without a line end, and dies
	"loud": func(args []string) {
		megabytes, _ := strconv.Atoi(args[0])
		for range megabytes {
			os.Stdout.Write(bytes.Repeat([]byte("x"), 1<<20))
		}
		os.Exit(7)
	},
	// starts a child in its group, which serves, and waits
	"parent": func(args []string) {
		child := exec.Command(os.Args[0], args[0])
		child.Env = append(os.Environ(), "TEST_COMPONENT=server")
		if err := child.Start(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_ = child.Wait()
	},
	// starts a child in a group of its own, which serves, and waits
	"patriarch": func(args []string) {
		child := exec.Command(os.Args[0], args[0])
		child.Env = append(os.Environ(), "TEST_COMPONENT=server")
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := child.Start(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_ = child.Wait()
	},
	// dies when its port is called
	"brittle": func(args []string) {
		l, err := net.Listen("tcp", args[0])
		if err != nil {
			os.Exit(1)
		}
		for range 2 { // the first caller is the readiness probe
			c, err := l.Accept()
			if err == nil {
				c.Close()
			}
		}
		fmt.Println("fatal: called")
		os.Exit(3)
	},
	"harness": harness,
}

func serve(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println("listen:", err)
		os.Exit(1)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

// component makes a process of the test binary.
func component(name, kind string, args ...string) environment.Process {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	// The race detector makes every process wait for a second before it exits.
	env := append(os.Environ(), "TEST_COMPONENT="+kind, "GORACE=atexit_sleep_ms=0")
	return environment.Process{Name: name, Path: exe, Args: args, Env: env}
}

// serving makes a process that listens, with its address as the first argument, and is ready when it can be called.
func serving(t testing.TB, name, kind string) environment.Process {
	t.Helper()
	port, err := environment.FreePort()
	require.NoError(t, err)
	return servingAt(name, kind, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func servingAt(name, kind, addr string) environment.Process {
	p := component(name, kind, addr)
	p.Ready = func(ctx context.Context) error { return call(ctx, addr) }
	return p
}

func call(ctx context.Context, addr string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// setup makes an environment that is closed with the test, logging to a directory of the test.
func setup(t testing.TB, opts environment.Options, all ...environment.Process) (*environment.Components, *recorder) {
	t.Helper()
	rec := &recorder{}
	opts.Record = rec
	if opts.LogDir == "" {
		opts.LogDir = t.TempDir()
	}
	p := environment.New(opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, p.Close(ctx))
	})
	for _, proc := range all {
		p.Add(proc)
	}
	return p, rec
}

func machine(undo environment.Undo) environment.Host {
	h, err := environment.NewMachine(context.Background(), environment.Site{Undo: undo})
	if err != nil {
		panic(err)
	}
	return h
}

// recorder keeps what happened to components.
type recorder struct {
	mu  sync.Mutex
	all []history.Event
}

func (r *recorder) Record(e history.Event) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
	return uint64(len(r.all) - 1)
}

func (r *recorder) events() []history.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]history.Event(nil), r.all...)
}

var words = map[history.Outcome]string{
	history.OutcomeStarted: "started", history.OutcomeReady: "ready", history.OutcomeKilled: "killed", history.OutcomePaused: "paused",
	history.OutcomeResumed: "resumed", history.OutcomeTerminated: "terminated", history.OutcomeExited: "exited",
}

// story is what happened, one word for each event.
func (r *recorder) story() string {
	var story []string
	for _, e := range r.events() {
		story = append(story, words[e.Outcome])
	}
	return strings.Join(story, " ")
}

func (r *recorder) last() history.Event {
	all := r.events()
	return all[len(all)-1]
}

// pid is the process that was started last.
func (r *recorder) pid() int { return int(r.last().Token) }

// state is the kernel's letter for a process; "" if there is none.
func state(pid int) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))[0]
}

// eventually waits for a condition, with a deadline that only a broken program needs.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			require.Fail(t, "still not so: "+what)
		}
	}
}
