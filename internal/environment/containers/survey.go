package containers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/moby/client"
)

// Describe says which engine would be used, and how. An engine that is not fit for runs is an error that says why.
func Describe(ctx context.Context) (string, error) {
	engine, err := connect(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: start one on this machine, or name it with DOCKER_HOST; its socket is root's and the group docker's", err)
	}
	defer engine.Close()
	asked, err := engine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", fmt.Errorf("ask the container engine: %w", err)
	}
	at := fmt.Sprintf("engine %s (API %s) at %s", asked.Info.ServerVersion, engine.ClientVersion(), engine.DaemonHost())
	if err := unfit(asked.Info.SecurityOptions); err != nil {
		return "", fmt.Errorf("%s: %w", at, err)
	}
	return at + "; " + reaper(), nil
}

// unfit says why no component could run under an engine that is set up like this.
func unfit(security []string) error {
	for _, option := range security {
		switch name, _, _ := strings.Cut(strings.TrimPrefix(option, "name="), ","); name {
		case "rootless":
			return errors.New("it is rootless: its networks are its own, and the harness cannot listen in them; a run needs an engine of root's")
		case "userns":
			return errors.New("it gives containers other users (userns-remap): components could not write to the directory of a run; a run needs an engine without that")
		}
	}
	return nil
}

// Networks says how much of the range that networks are taken from is free, or why it is of no use.
func Networks(ctx context.Context, opts Options) (string, error) {
	engine, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer engine.Close()
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return "", fmt.Errorf("list networks: %w", err)
	}
	used, err := ownAddresses() // of the engine's networks, too, most of the time
	if err != nil {
		return "", err
	}
	ours := 0
	for _, n := range networks.Items {
		if n.Labels[labelOf] != "" {
			ours++
		}
		for _, c := range n.IPAM.Config {
			used = append(used, c.Subnet)
		}
	}
	all := cmp.Or(opts.Subnets, DefaultSubnets)
	total := uint32(1) << max(0, subnetBits-all.Bits())
	free := total
	for n := range total {
		if overlaps(subnet(all, n), used) {
			free--
		}
	}
	said := fmt.Sprintf("%s has room for %d components, %d of it in use or somebody else's (WRECKON_SUBNETS names another range); %d networks of runs that go on or were killed",
		all, total, total-free, ours)
	if free == 0 {
		return "", errors.New(said)
	}
	return said, nil
}
