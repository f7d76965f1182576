package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

// childEnv makes this test binary a component that answers on the address it holds, until SIGTERM.
const childEnv = "WRECKON_FAULTS_CHILD"

func child(addr string) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("ready"))
			c.Close()
		}
	}()
	<-stop
}

// ledgerEnv makes it a component that appends what it is sent to this file, and then answers.
const ledgerEnv = "WRECKON_FAULTS_LEDGER"

func ledger(addr, file string) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("POST /lines", func(w http.ResponseWriter, r *http.Request) {
		line, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = f.Write(append(line, '\n'))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(addr, nil))
	os.Exit(1)
}

// children are real processes, as an environment keeps them.
type children struct {
	addr string
	env  []string // beside the address
	mu   sync.Mutex
	cmd  *exec.Cmd
	gone chan struct{}
	pids []int
}

func (c *children) Start(ctx context.Context, name string) error {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+c.addr)
	cmd.Env = append(cmd.Env, c.env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	c.mu.Lock()
	c.cmd, c.gone, c.pids = cmd, gone, append(c.pids, cmd.Process.Pid)
	c.mu.Unlock()
	for c.Probe(ctx, name) != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func (c *children) signal(ctx context.Context, s os.Signal) error {
	if err := c.cmd.Process.Signal(s); err != nil {
		return err
	}
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *children) Kill(ctx context.Context, _ string) error { return c.signal(ctx, syscall.SIGKILL) }

func (c *children) Terminate(ctx context.Context, _ string, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	return c.signal(ctx, syscall.SIGTERM)
}

func (c *children) Pause(ctx context.Context, _ string) error {
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for ctx.Err() == nil {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
		if err != nil {
			return err
		}
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "T") {
			return nil
		}
	}
	return ctx.Err()
}

func (c *children) Resume(context.Context, string) error {
	return c.cmd.Process.Signal(syscall.SIGCONT)
}

func (c *children) Alive(string) bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

func (c *children) Probe(ctx context.Context, _ string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if len(c.env) > 0 { // it speaks HTTP
		if _, err := io.WriteString(conn, "HEAD / HTTP/1.0\r\n\r\n"); err != nil {
			return err
		}
	}
	n, err := conn.Read(make([]byte, 5))
	if err == nil && n == 0 {
		err = errors.New("nothing")
	}
	return err
}

func TestProcessFaultsOnARealProcess(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	env := &children{addr: ln.Addr().String()}
	ln.Close()
	require.NoError(t, env.Start(ctx(t), "relay"))
	t.Cleanup(func() { require.NoError(t, env.Kill(ctx(t), "relay")) })

	l := newLog()
	g := faults.NewGuard(l, l)
	for i, spec := range []faults.Spec{
		{Kind: "crash", Component: "relay", For: 20 * time.Millisecond},
		{Kind: "pause", Component: "relay", For: 200 * time.Millisecond},
		{Kind: "terminate", Component: "relay", For: 20 * time.Millisecond},
		{Kind: "rolling-restart", Components: []string{"relay"}},
	} {
		spec.ID = fmt.Sprintf("f%d", i+1)
		f := build(t, spec, nil, env)
		require.NoError(t, g.Run(ctx(t), time.Now(), faults.Planned{Spec: spec, Fault: f}), spec.Kind)
		require.Equal(t, whole, l.story(spec.ID), spec.Kind)
		require.NoError(t, env.Probe(ctx(t), "relay"))
	}
	assert.Len(t, env.pids, 4, "three restarts, and a pause that is none")
}
