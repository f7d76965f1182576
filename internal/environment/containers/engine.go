package containers

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// connectWithin bounds how long an engine may take to say that it is there.
const connectWithin = 5 * time.Second

// connect connects to the engine that DOCKER_HOST, the properties file of testcontainers or the usual socket names.
func connect(ctx context.Context) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	settle(ctx)
	library, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the container engine: %w", err)
	}
	// Without an engine the library gives a client all the same.
	if _, err := library.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		library.Close()
		return nil, fmt.Errorf("connect to the container engine: %w", err)
	}
	// It also takes another engine where the one that was named does not answer.
	if want, got := os.Getenv("DOCKER_HOST"), library.DaemonHost(); want != "" && want != got {
		library.Close()
		return nil, fmt.Errorf("connect to the container engine: DOCKER_HOST names %s, which does not answer (%s does)", want, got)
	}
	return library.Client, nil
}

// reaperSwitch is the library's own setting. It reads it once, before its first call.
const reaperSwitch = "TESTCONTAINERS_RYUK_DISABLED"

var settled sync.Once

// settle decides whether the library's reaper runs beside our own undo log: where nobody has said so, and where its image is there already.
// Without the image the library would make a container first, fail to pull, and leave the container behind.
func settle(ctx context.Context) {
	settled.Do(func() {
		log.SetDefault(log.NewNoopLogger()) // what it has to say of each step is not for the person who runs a scenario
		if os.Getenv(reaperSwitch) != "" {
			return
		}
		if plain, err := client.New(client.FromEnv); err == nil {
			defer plain.Close()
			if _, err := plain.ImageInspect(ctx, testcontainers.ReaperDefaultImage); err == nil {
				return
			}
		}
		_ = os.Setenv(reaperSwitch, "true") // fails for names with a zero byte only
	})
}

// reaper says in words whether the library's reaper runs.
func reaper() string {
	if os.Getenv(reaperSwitch) == "true" {
		return "Ryuk is off: what a killed run leaves is removed by the next run, or by wreckon cleanup"
	}
	return "Ryuk is on"
}
