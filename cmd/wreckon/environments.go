package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/internal/undo"
)

// environmentNames are the environments that components can run in; the first one is the default.
func environmentNames() []string { return []string{"process", "docker"} }

// hostOf is what runs the components in an environment.
func hostOf(env string) (runner.NewHost, error) {
	if env == "process" {
		return environment.NewMachine, nil
	}
	opts, err := containerOptions(os.Getenv)
	return func(ctx context.Context, site environment.Site) (environment.Host, error) { return containers.New(ctx, opts, site) }, err
}

// subnetsVariable is the setting for networks whose usual range is in use.
const subnetsVariable = "WRECKON_SUBNETS"

func containerOptions(getenv func(string) string) (containers.Options, error) {
	var opts containers.Options
	if text := getenv(subnetsVariable); text != "" {
		subnets, err := netip.ParsePrefix(text)
		if err != nil {
			return opts, fmt.Errorf("%s: %w: want a range like %s", subnetsVariable, err, containers.DefaultSubnets)
		}
		opts.Subnets = subnets
	}
	return opts, nil
}

// removers remove what killed runs left that is no process.
func removers() undo.Removers { return undo.Removers{containers.Kind: containers.Remove} }
