package containers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/wreckon/wreckon/internal/environment"
)

// describe puts what is asked of a component's container into the engine's words. Whether it is healthy is asked by the harness, and by the
// engine not as well.
func describe(c *container.Config, of *environment.Container) {
	c.Env, c.Cmd, c.Entrypoint = append(c.Env, of.Env...), of.Args, of.Entrypoint
	c.User, c.WorkingDir, c.StopSignal = of.User, of.Dir, of.StopSignal
	c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
}

// limit says what the container may do and use.
func limit(c *container.HostConfig, of *environment.Container) {
	c.CapAdd, c.CapDrop, c.GroupAdd = of.CapAdd, of.CapDrop, of.Groups
	c.ReadonlyRootfs, c.ShmSize = of.ReadOnly, of.Shared
	if of.Init {
		c.Init = &of.Init
	}
	c.Memory, c.NanoCPUs = of.Memory, int64(of.CPUs*1e9)
	for _, tmpfs := range of.Tmpfs {
		path, options, _ := strings.Cut(tmpfs, ":")
		if c.Tmpfs == nil {
			c.Tmpfs = map[string]string{}
		}
		c.Tmpfs[path] = options
	}
}

// healthWithin is how long a command may take that says nothing of it: as long as the engine's own.
const healthWithin = 30 * time.Second

// healthOf is what is asked in the container: what the component says, or else its image.
func (h *host) healthOf(ctx context.Context, image string, of *environment.Container) (command []string, within time.Duration, err error) {
	if of == nil {
		return nil, 0, nil
	}
	if of.Health != nil {
		return of.Health.Command, cmp.Or(of.Health.Within, healthWithin), nil
	}
	made, err := h.engine.ImageInspect(ctx, image)
	if err != nil || made.Config == nil || made.Config.Healthcheck == nil || len(made.Config.Healthcheck.Test) == 0 {
		return nil, 0, err
	}
	check := made.Config.Healthcheck
	switch check.Test[0] {
	case "CMD":
		command = check.Test[1:]
	case "CMD-SHELL":
		command = []string{"/bin/sh", "-c", strings.Join(check.Test[1:], " ")}
	}
	return command, cmp.Or(check.Timeout, healthWithin), nil
}

// Serves runs the command that says whether the component serves.
func (r *running) Serves(ctx context.Context) error {
	if len(r.health) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.healthWithin)
	defer cancel()
	made, err := r.engine.ExecCreate(ctx, r.id, client.ExecCreateOptions{Cmd: r.health, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return fmt.Errorf("ask whether it is healthy: %w", err)
	}
	said, err := r.engine.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return fmt.Errorf("ask whether it is healthy: %w", err)
	}
	defer said.Close()
	stop := context.AfterFunc(ctx, said.Close)
	defer stop()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, said.Reader); err != nil {
		return fmt.Errorf("ask whether it is healthy: %w", errors.Join(err, ctx.Err()))
	}
	ended, err := r.engine.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
	if err != nil {
		return fmt.Errorf("ask whether it is healthy: %w", err)
	}
	if ended.Running || ended.ExitCode != 0 {
		text := strings.TrimSpace(out.String())
		return fmt.Errorf("not healthy: exit status %d: %s", ended.ExitCode, text[max(0, len(text)-300):])
	}
	return nil
}
