package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/internal/undo"
	"github.com/wreckon/wreckon/targets"
)

// environmentNames are the environments that components can run in; the first one is the default.
func environmentNames() []string { return []string{"process", "docker"} }

// runsIn is the environment that runs a target: what was asked for, if anything was, or what it needs.
func runsIn(t targets.Target, asked string) (string, error) {
	switch {
	case !t.Contained:
		return environmentOf(asked), nil
	case asked == "" || asked == "docker":
		return "docker", nil
	}
	return "", fmt.Errorf("target %s runs in containers only, as its compose file says: --env docker", t.Name)
}

// pulls are what --pull can say.
var pulls = []string{"never", "missing"}

// environmentOf is the first that somebody asks for, or the default.
func environmentOf(asked ...string) string { return cmp.Or(append(asked, environmentNames()[0])...) }

// hostOf is what runs the components in an environment. note is told of what takes long.
func hostOf(env, pull string, note func(string)) (runner.NewHost, error) {
	if env == "process" {
		return environment.NewMachine, nil
	}
	opts, err := containerOptions(os.Environ())
	opts.Pull, opts.Note = pull == "missing", note
	return func(ctx context.Context, site environment.Site) (environment.Host, error) {
		return containers.New(ctx, opts, site)
	}, err
}

// subnetsVariable is the setting for networks whose usual range is in use.
const subnetsVariable = "WRECKON_SUBNETS"

// containerOptions reads what the environment variables say of containers.
func containerOptions(environ []string) (containers.Options, error) {
	opts := containers.Options{Hold: []string{holdCommand}, Eat: []string{eatCommand}, Images: map[string]string{}}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch key, image := strings.CutPrefix(name, containers.ImageVariable); {
		case value == "": // as if it were not there
		case image:
			opts.Images[key] = value
		case name == subnetsVariable:
			subnets, err := netip.ParsePrefix(value)
			if err != nil {
				return opts, fmt.Errorf("%s: %w: want a range like %s", subnetsVariable, err, containers.DefaultSubnets)
			}
			opts.Subnets = subnets
		}
	}
	return opts, nil
}

// componentEnv is what components of this binary are started with. As the binary starts, the container library looks at every process of
// the machine, to give its session a name: 10 ms and more, in which a component that was killed is not back. Where there are no processes to
// look at it makes a name up.
var componentEnv = []string{"HOST_PROC=/nonexistent"}

// removers remove what killed runs left that is no process.
func removers() undo.Removers { return undo.Removers{containers.Kind: containers.Remove} }
