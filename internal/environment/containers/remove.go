package containers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Kind is what the undo log calls all that this host makes for a run. Its id is the value of the label that all of it carries.
const Kind = "containers"

// The labels.
const (
	labelOf        = "wreckon"           // "image", or the mark of the run: by it Remove finds what to remove
	labelRun       = "wreckon.run"       // name of the run, for people
	labelComponent = "wreckon.component" // for people
)

// Remove removes the containers, networks and volumes that carry the mark of a run, with all volumes of the containers that have no name. It returns
// when they are gone, and says what it removed.
func Remove(ctx context.Context, mark string) (report []string, err error) {
	engine, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	return remove(ctx, engine, mark)
}

func remove(ctx context.Context, engine *client.Client, mark string) (report []string, err error) {
	for { // until nothing is left: what a harness asked for as it was killed may still be made
		removed, err := removeOnce(ctx, engine, mark)
		report = append(report, removed...)
		if err != nil || len(removed) == 0 {
			return report, err
		}
	}
}

func removeOnce(ctx context.Context, engine *client.Client, mark string) (report []string, err error) {
	ours := client.Filters{}.Add("label", labelOf+"="+mark)
	containers, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	volumes, err := engine.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var all together
	for _, c := range containers.Items {
		all.do("container of "+c.Labels[labelComponent], func() error {
			_, err := engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			if errdefs.IsConflict(err) { // somebody else removes it just now
				return awaitRemoved(ctx, func() error {
					_, err := engine.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
					return err
				})
			}
			return err
		})
	}
	report, err = all.wait()
	if err != nil {
		return report, err
	}
	for _, n := range networks.Items {
		all.do("network of "+n.Labels[labelComponent], func() error {
			_, err := engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			return err
		})
	}
	for _, v := range volumes.Items {
		all.do("volume "+v.Labels[labelComponent], func() error {
			_, err := engine.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
			return err
		})
	}
	return all.wait()
}

// awaitRemoved waits until asking for a thing says that it is not there.
func awaitRemoved(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := ask(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// together removes things at the same time. What is not there has been removed.
type together struct {
	wg     sync.WaitGroup
	mu     sync.Mutex
	report []string
	errs   []error
}

func (t *together) do(what string, remove func() error) {
	t.wg.Go(func() {
		err := remove()
		t.mu.Lock()
		defer t.mu.Unlock()
		if err != nil && !errdefs.IsNotFound(err) {
			t.errs = append(t.errs, fmt.Errorf("remove %s: %w", what, err))
			return
		}
		t.report = append(t.report, "removed "+what)
	})
}

func (t *together) wait() ([]string, error) {
	t.wg.Wait()
	slices.SortFunc(t.report, strings.Compare)
	return t.report, errors.Join(t.errs...)
}
