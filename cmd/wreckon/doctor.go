package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/wreckon/wreckon/internal/postgres"
	"github.com/wreckon/wreckon/targets"
)

// probe is one thing that a run needs of this machine, tried for real.
type probe struct {
	name string
	try  func(context.Context) (string, error)
	// optional: why the machine is fit without it; "": it is not.
	optional string
}

func newDoctor() *cobra.Command {
	var out, env, target string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine can run what wreckon runs",
		Long: "Try each thing that a run needs: loopback ports, process signals, disk; and what only some need: PostgreSQL for the target\nreference-postgres, a container engine for --env docker. " +
			"With --target, what this target needs: its\nenvironment, what must be installed, its images. Exit 0 if all is there, 4 if not.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(environmentNames(), env) {
				return unknown("environment", env, environmentNames(), "known: "+strings.Join(environmentNames(), ", "))
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			var more []probe
			installed := false // the target runs a PostgreSQL that is installed here
			if target != "" {
				t, err := namedTarget(target)
				if err == nil && t.Contained {
					env = "docker"
				}
				if err != nil {
					return usage(err)
				}
				installed = env != "docker" && t.File == "" && t.Name == targets.ReferencePostgres().Name
				if env == "docker" {
					more = append(more, probe{name: "images", try: func(ctx context.Context) (string, error) { return tryImages(ctx, t) }})
				}
			} else if env == "docker" {
				more = append(more, probe{name: "images", optional: "only the target reference-postgres needs it",
					try: func(ctx context.Context) (string, error) { return tryImages(ctx, targets.ReferencePostgres()) }})
			}
			bad := 0
			for _, p := range append(probes(out, env, installed), more...) {
				said, err := p.try(ctx)
				if err != nil && p.optional != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "– %-10s %v; %s\n", p.name, err, p.optional)
					continue
				}
				if err != nil {
					bad++
					fmt.Fprintf(cmd.OutOrStdout(), "✗ %-10s %v\n", p.name, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "✓ %-10s %s\n", p.name, said)
			}
			if bad > 0 {
				return exitError{code: exitHarness}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "runs", "directory that the run directories go into")
	cmd.Flags().StringVar(&target, "target", "", "target that the machine must be fit for: a name, or a target file")
	cmd.Flags().StringVar(&env, "env", environmentNames()[0], "environment that the machine must be fit for: "+strings.Join(environmentNames(), " or "))
	return cmd
}

func probes(out, env string, installed bool) []probe {
	server := probe{name: "postgresql", try: tryPostgres}
	if !installed {
		server.optional = "only the target reference-postgres needs it"
	}
	containers := probe{name: "containers", try: func(ctx context.Context) (string, error) { return tryContainers(ctx, out) }}
	if env != "docker" {
		containers.optional = "only --env docker needs it"
	}
	all := []probe{
		{name: "system", try: func(context.Context) (string, error) {
			return fmt.Sprintf("%s/%s, %d CPUs, wreckon %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), toolVersion()), nil
		}},
		{name: "loopback", try: tryLoopback},
		{name: "processes", try: tryProcess},
		{name: "disk", try: func(context.Context) (string, error) { return tryDisk(out) }},
		server,
		containers,
	}
	if env == "docker" {
		all = append(all, probe{name: "networks", try: tryNetworks})
	}
	return all
}

// tryPostgres prepares a server as a run does.
func tryPostgres(ctx context.Context) (said string, err error) {
	in, err := postgres.Find()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "wreckon-doctor-*")
	if err != nil {
		return "", fmt.Errorf("prepare PostgreSQL: %w", err)
	}
	defer os.RemoveAll(dir)
	room, err := in.Room(dir)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(room)
	if _, err := in.Prepare(ctx, filepath.Join(room, "data")); err != nil { // the first time on a machine
		return "", err
	}
	began := time.Now()
	if _, err := in.Prepare(ctx, filepath.Join(room, "again")); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is installed; a server of its own for a run is prepared in %d ms", in.Version, time.Since(began).Milliseconds()), nil
}

func tryLoopback(ctx context.Context) (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen on loopback: %w", err)
	}
	defer ln.Close()
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", ln.Addr().String())
	if err != nil {
		return "", fmt.Errorf("connect on loopback: %w", err)
	}
	return "listens and connects on 127.0.0.1", conn.Close()
}

// tryProcess starts this binary as a component, asks it for something, and ends it.
func tryProcess(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the wreckon binary: %w", err)
	}
	began := time.Now()
	err = exec.CommandContext(ctx, self, "reference").Run()
	var ex *exec.ExitError
	if !errors.As(err, &ex) || ex.ExitCode() != exitUsage {
		return "", fmt.Errorf("run a component of the reference: %v, want its usage error", err)
	}
	return fmt.Sprintf("starts components of the reference (%d ms)", time.Since(began).Milliseconds()), nil
}

// leastFree is the least free disk that a run is comfortable with.
const leastFree = 256 << 20

func tryDisk(out string) (string, error) {
	dir := out
	for {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return "", fmt.Errorf("write below %s: %w", out, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", fmt.Errorf("ask for free space of %s: %w", dir, err)
	}
	free := st.Bavail * uint64(st.Bsize)
	if free < leastFree {
		return "", fmt.Errorf("%s has %d MB free; a run wants %d MB", dir, free>>20, leastFree>>20)
	}
	return fmt.Sprintf("%s is writable, %d MB free", dir, free>>20), nil
}
