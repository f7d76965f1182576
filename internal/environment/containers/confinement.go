package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/wreckon/wreckon/internal/environment"
)

var _ environment.Confinement = (*host)(nil)

// Disconnect takes the container that holds a component's address off the network, and with it the component's own.
func (h *host) Disconnect(ctx context.Context, name string) error {
	s, err := h.site(name)
	if err != nil {
		return err
	}
	_, err = h.engine.NetworkDisconnect(ctx, s.network.ID, client.NetworkDisconnectOptions{Container: s.holder})
	return err
}

// Connect puts it back where it was. The engine makes the hardware address of the other, so that neighbours find it again at once.
func (h *host) Connect(ctx context.Context, name string) error {
	s, err := h.site(name)
	if err != nil {
		return err
	}
	_, err = h.engine.NetworkConnect(ctx, s.network.ID, client.NetworkConnectOptions{Container: s.holder, EndpointConfig: &network.EndpointSettings{
		IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: s.component}, Aliases: []string{name},
	}})
	if err != nil && (errdefs.IsAlreadyExists(err) || strings.Contains(err.Error(), "already exists in network")) {
		return nil
	}
	return err
}

// period is that of the kernel's scheduler within which a share is used up, in microseconds. A share is given as a quota of it, which can be taken
// back; the engine's own measure cannot, and where a container was made with one it has to be used.
const period = 100_000

// LimitCPU gives a share.
func (h *host) LimitCPU(ctx context.Context, name string, cpus float64) error {
	m, err := h.containerOf(name)
	switch {
	case err != nil:
		return err
	case m.cpus > 0 && cpus >= m.cpus:
		return fmt.Errorf("it may not use more than %g processors anyway", m.cpus)
	case m.cpus > 0:
		return h.update(ctx, m, container.Resources{NanoCPUs: int64(cmp.Or(cpus, m.cpus) * 1e9)})
	case cpus > 0:
		return h.update(ctx, m, container.Resources{CPUPeriod: period, CPUQuota: max(1000, int64(cpus*period))})
	}
	return h.update(ctx, m, container.Resources{CPUPeriod: period, CPUQuota: -1})
}

// Throttled asks the kernel, by the engine.
func (h *host) Throttled(ctx context.Context, name string) (uint64, error) {
	m, err := h.containerOf(name)
	if err != nil {
		return 0, err
	}
	stats, err := h.stats(ctx, m)
	return stats.CPUStats.ThrottlingData.ThrottledPeriods, err
}

const (
	starveEvery = 10 * time.Millisecond
	leastMemory = 6 << 20  // that engines accept
	room        = 24 << 20 // for the beginning of hunger.Eat, which would be slow without; it takes more
	unlimited   = 1 << 50
)

// Starve lowers the limit until the kernel kills. Kernels with the second version of control groups do so at once. Those with the first refuse a limit below
// what is in use and cannot be given back: so it is what is in use, and in a component that gets along with that something else eats up the rest, if its image
// holds one.
func (h *host) Starve(ctx context.Context, name string) (err error) {
	m, err := h.containerOf(name)
	if err != nil {
		return err
	}
	limit := func(ctx context.Context, bytes int64) error {
		return h.update(ctx, m, container.Resources{Memory: max(leastMemory, bytes), MemorySwap: -1})
	}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectWithin)
		defer cancel()
		before := container.Resources{Memory: unlimited, MemorySwap: -1}
		if m.memory > 0 { // as much again of swap is what the engine adds by itself
			before = container.Resources{Memory: m.memory, MemorySwap: 2 * m.memory}
		}
		err = errors.Join(err, h.update(after, m, before))
	}()
	tick := time.NewTicker(starveEvery)
	defer tick.Stop()
	eats, refused := false, error(nil)
	for tried := false; ; tried = true {
		inspected, err := h.engine.ContainerInspect(ctx, m.id, client.ContainerInspectOptions{})
		if err != nil {
			return fmt.Errorf("look at container: %w", err)
		}
		switch state := inspected.Container.State; {
		case state == nil || state.Running:
		case state.OOMKilled:
			return nil
		default:
			return fmt.Errorf("it ended, and not for want of memory: exit status %d", state.ExitCode)
		}
		switch {
		case !tried:
			_ = limit(ctx, leastMemory)
		case !eats:
			eats, refused = h.squeeze(ctx, m, limit)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("it got along with the memory that it had: %w", context.Cause(ctx)), refused)
		}
	}
}

// squeeze sets the limit to what is in use, or a little more and has it eaten up.
func (h *host) squeeze(ctx context.Context, m *made, limit func(context.Context, int64) error) (eats bool, err error) {
	stats, err := h.stats(ctx, m)
	if err != nil {
		return false, err
	}
	used := int64(stats.MemoryStats.Usage)
	if !m.own {
		return false, limit(ctx, used) // refused if it has taken more meanwhile
	}
	if err := limit(ctx, used+room); err != nil {
		return false, err
	}
	err = h.eat(ctx, m)
	return err == nil, err
}

// eat starts hunger.Eat beside a component. It ends with the component.
func (h *host) eat(ctx context.Context, m *made) error {
	made, err := h.engine.ExecCreate(ctx, m.id, client.ExecCreateOptions{Cmd: slices.Concat([]string{ownPath}, h.opts.Eat)})
	if err == nil {
		_, err = h.engine.ExecStart(ctx, made.ID, client.ExecStartOptions{Detach: true})
	}
	if err != nil { // it may be about to end
		return fmt.Errorf("take what memory it has left: %w", err)
	}
	return nil
}

func (h *host) site(name string) (lan, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sites[name]
	if !ok {
		return s, errors.New("it has no network")
	}
	return s, nil
}

func (h *host) containerOf(name string) (*made, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.made[name]
	if m == nil {
		return nil, errors.New("it has no container")
	}
	return m, nil
}

func (h *host) update(ctx context.Context, m *made, r container.Resources) error {
	if _, err := h.engine.ContainerUpdate(ctx, m.id, client.ContainerUpdateOptions{Resources: &r}); err != nil {
		return fmt.Errorf("limit container: %w", err)
	}
	return nil
}

func (h *host) stats(ctx context.Context, m *made) (stats container.StatsResponse, err error) {
	got, err := h.engine.ContainerStats(ctx, m.id, client.ContainerStatsOptions{})
	if err != nil {
		return stats, fmt.Errorf("ask what container uses: %w", err)
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(&stats); err != nil {
		return stats, fmt.Errorf("ask what container uses: %w", err)
	}
	return stats, nil
}
