package file

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/internal/question"
	"github.com/wreckon/wreckon/targets"
)

// ready is one probe of a component, past every proxy: what the file says, or else what anyone may ask in the protocol that it is spoken to.
func (i *instance) ready(component string) func(context.Context) error {
	addr := i.w.Listen[component]
	how := i.Components[component].Ready
	if of := i.Components[component]; how == nil && of.service != nil && (of.Port == 0 || of.service.Container.Once) {
		return nil // it serves nobody
	}
	if how == nil {
		q := question.Of(i.spoken(component))
		return func(ctx context.Context) error { return asked(ctx, q, addr) }
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
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it has started is not left waiting for a component that is silent
		c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
		c.WaitDelay = time.Second
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("run %s: %w: %s", command[0], err, clip(strings.TrimSpace(string(out)), 300))
		}
		return nil
	}
}

// spoken is the protocol that a component is spoken to.
func (d *definition) spoken(component string) targets.Protocol {
	for _, e := range d.Edges {
		if e.To == component && e.Protocol != targets.TCP {
			return e.Protocol
		}
	}
	return targets.TCP
}

// asked asks a question on a connection of its own.
func asked(ctx context.Context, q question.Question, addr string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = q.Ask(c, 0)
	return err
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
