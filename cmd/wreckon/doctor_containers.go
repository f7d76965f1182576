package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
	"github.com/wreckon/wreckon/targets"
)

// tryContainers runs a component of the reference in a container, as a run would: it must be dialled from here and dial to here, and
// store its data in a directory of this machine.
func tryContainers(ctx context.Context, out string) (said string, err error) {
	engine, err := containers.Describe(ctx)
	if err != nil {
		return "", err
	}
	opts, err := containerOptions(os.Environ())
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the wreckon binary: %w", err)
	}
	data, err := absoluteTemp(out)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(data)
	host, err := containers.New(ctx, opts, environment.Site{Run: "doctor", Data: data, Binary: self})
	if err != nil {
		return "", err
	}
	env := environment.New(environment.Options{Host: host})
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		err = errors.Join(err, env.Close(closing))
	}()
	took, err := tryComponent(ctx, env, self, data)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s; a component was ready after %d ms", engine, took.Milliseconds()), nil
}

// tryNetworks asks for the range that networks are taken from.
func tryNetworks(ctx context.Context) (string, error) {
	opts, err := containerOptions(os.Environ())
	if err != nil {
		return "", err
	}
	return containers.Networks(ctx, opts)
}

// tryComponent runs the saga, which needs a broker to dial, keeps a database, and has a control server.
func tryComponent(ctx context.Context, env *environment.Components, self, data string) (time.Duration, error) {
	const name = "saga"
	began := time.Now()
	places, err := env.Place(ctx, []environment.Want{{Name: name}})
	if err != nil {
		return 0, err
	}
	broker, err := net.Listen("tcp", net.JoinHostPort(places[name].Near, "0"))
	if err != nil {
		return 0, fmt.Errorf("listen for a component: %w", err)
	}
	defer broker.Close()
	env.Add(environment.Process{
		Name: name, Path: self, Dir: data, Env: append([]string{"CONTROL_TOKEN=doctor"}, componentEnv...),
		Args: []string{"reference", name, "--data", data, "--control", places[name].Control, "--control-public", "--broker", broker.Addr().String()},
		Ready: func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+places[name].Control+"/live", nil)
			if err != nil {
				return err
			}
			req.Close = true
			req.Header.Set("Authorization", "Bearer doctor")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		},
	})
	if err := env.StartAll(ctx); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if files, err := filepath.Glob(filepath.Join(data, "*")); err != nil || len(files) == 0 {
		return 0, fmt.Errorf("a container stored nothing in %s of this machine: the engine has another file system, and that is not supported", data)
	}
	stop := context.AfterFunc(ctx, func() { broker.Close() })
	defer stop()
	conn, err := broker.Accept()
	if err != nil {
		return 0, fmt.Errorf("a container did not dial %s of this machine (is a firewall between?): %w", broker.Addr(), errors.Join(err, ctx.Err()))
	}
	return took, conn.Close()
}

// tryImages looks whether the engine has the images that a target names.
func tryImages(ctx context.Context, t targets.Target) (said string, err error) {
	opts, err := containerOptions(os.Environ())
	if err != nil {
		return "", err
	}
	made, err := t.New(targets.Wiring{Contained: true}) // it is wired to nothing, and never started
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, made.Close()) }()
	var all []environment.Process
	for _, l := range made.Launches() {
		all = append(all, environment.Process{Name: l.Component, Container: l.Container})
	}
	there, err := containers.Look(ctx, opts, all)
	if len(there) == 0 {
		there = []string{"that of this binary, which is made when it is needed"}
	}
	return fmt.Sprintf("of %d components: %s", len(all), strings.Join(there, ", ")), err
}

// absoluteTemp makes a directory beside the run directories, where those exist, and elsewhere where they do not.
func absoluteTemp(out string) (string, error) {
	if _, err := os.Stat(out); err != nil {
		out = ""
	}
	dir, err := os.MkdirTemp(out, "wreckon-doctor-")
	if err != nil {
		return "", fmt.Errorf("make a directory for a container: %w", err)
	}
	return filepath.Abs(dir)
}
