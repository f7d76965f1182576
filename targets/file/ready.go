package file

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
)

// ready is one probe of a component, past every proxy: what the file says, or that something accepts connections.
func (i *instance) ready(component string) func(context.Context) error {
	addr := i.w.Listen[component]
	how := i.Components[component].Ready
	if how == nil {
		return func(ctx context.Context) error { return connects(ctx, addr) }
	}
	if how.Control {
		addr = i.w.Control[component]
	}
	if how.HTTP != "" {
		return func(ctx context.Context) error { return i.answers(ctx, "http://"+addr+how.HTTP) }
	}
	words, command := i.expander(component), make([]string, len(how.Exec))
	for k, word := range how.Exec {
		command[k] = words(word)
	}
	if strings.ContainsRune(command[0], '/') {
		command[0] = i.path(command[0])
	}
	return func(ctx context.Context) error {
		c := exec.CommandContext(ctx, command[0], command[1:]...)
		c.Dir = i.dir
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("run %s: %w: %s", command[0], err, clip(strings.TrimSpace(string(out)), 300))
		}
		return nil
	}
}

func connects(ctx context.Context, addr string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

func (i *instance) answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := i.sources.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}
