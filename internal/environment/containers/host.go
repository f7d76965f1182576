package containers

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
	"golang.org/x/sync/errgroup"

	"github.com/wreckon/wreckon/internal/environment"
)

// The ports of every component, each on an address of its own.
const (
	listenPort  = "7000"
	controlPort = "7001"
)

// Options say what is not a matter of a single run.
type Options struct {
	Subnets netip.Prefix // that the networks are taken from; zero: DefaultSubnets
	Hold    []string     // arguments with which the binary waits until it is killed; needed. With more of them, the first thing it does is lent.Lend
	Eat     []string     // arguments with which the binary takes all memory there is: hunger.Eat; needed to starve a component that is the binary

	Images map[string]string // images taken in place of those that are asked for, by what follows ImageVariable; may be nil
	Pull   bool              // get the images that the engine does not have from their registries
	Note   func(text string) // is told of what takes long; may be nil
}

// host runs the components of one run.
type host struct {
	environment.Site
	opts   Options
	engine *client.Client
	labels map[string]string // of everything that is made

	life context.Context // ends with the host: nobody waits any more for what the engine says
	end  context.CancelFunc

	mu    sync.Mutex
	sites map[string]lan
	made  map[string]*made
	image string // of the target's own binary; "": not needed so far

	written []string // files and directories of this machine of which the run has copies, as components may write to them
}

// made is the container of one component, over all its restarts.
type made struct {
	id, image string
	stop      string // the signal that tells it to end

	health       []string // command that is asked in it; empty: none
	healthWithin time.Duration
	own          bool // it holds the target's own binary

	cpus   float64 // processors and bytes of memory that it may have; 0: as many as there are
	memory int64
}

// New connects to the engine. It makes nothing yet.
func New(ctx context.Context, opts Options, of environment.Site) (environment.Host, error) {
	if opts.Subnets == (netip.Prefix{}) {
		opts.Subnets = DefaultSubnets
	}
	if !opts.Subnets.Addr().Is4() || opts.Subnets.Bits() > subnetBits {
		return nil, fmt.Errorf("subnets %s: want a range of IPv4 addresses, of %d bits at most", opts.Subnets, subnetBits)
	}
	engine, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	h := &host{Site: of, opts: opts, engine: engine, labels: map[string]string{labelOf: rand.Text(), labelRun: of.Run},
		sites: map[string]lan{}, made: map[string]*made{}}
	h.life, h.end = context.WithCancel(context.Background())
	return h, nil
}

// Contained is true.
func (h *host) Contained() bool { return true }

// Place makes the networks, and in each a container that does nothing but hold the component's address. The component's own container is in
// the same network namespace: when it dies its address stays, so that connections are closed and refused as those of a process are, and when it
// is started again no network has to be set up.
func (h *host) Place(ctx context.Context, wants []environment.Want) (map[string]environment.Place, error) {
	if h.Undo != nil {
		if err := h.Undo.Made(Kind, h.labels[labelOf]); err != nil {
			return nil, err
		}
	}
	var sockets string // a directory, where one is needed
	if slices.ContainsFunc(wants, func(w environment.Want) bool { return len(w.Dials) > 0 }) {
		var err error
		if sockets, err = os.MkdirTemp("", "wreckon-"); err != nil { // a socket's path must be short
			return nil, fmt.Errorf("make a directory for sockets: %w", err)
		}
	}
	places := map[string]environment.Place{}
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range wants {
		g.Go(func() error {
			s, err := newNetwork(ctx, h.opts.Subnets, h.labelsOf(w.Name))
			if err == nil {
				s.holder, s.lent, err = h.hold(ctx, w, s, sockets)
			}
			if err != nil {
				return fmt.Errorf("place %s: %w", w.Name, err)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.sites[w.Name] = s
			at, port := s.component.String(), listenPort
			if w.Port != 0 {
				port = strconv.Itoa(w.Port)
			}
			places[w.Name] = environment.Place{Listen: net.JoinHostPort(at, port), Control: net.JoinHostPort(at, controlPort), Near: s.harness.String(), Lent: s.lent}
			return nil
		})
	}
	return places, errors.Join(g.Wait(), os.RemoveAll(sockets))
}

func (h *host) labelsOf(component string) map[string]string {
	labels := maps.Clone(h.labels)
	labels[labelComponent] = component
	return labels
}

// hold starts the container that holds a component's address, and takes over the listeners at which the component finds whom it dials by
// names. The names stand in the file of hosts, which the two containers share.
func (h *host) hold(ctx context.Context, w environment.Want, s lan, sockets string) (id string, lent map[string]net.Listener, err error) {
	image, err := h.own(ctx)
	if err != nil {
		return "", nil, err
	}
	b, err := newBorrowing(w, sockets)
	if err != nil {
		return "", nil, err
	}
	defer b.close()
	name := w.Name + ".address"
	c, err := testcontainers.Run(ctx, image, append(h.common(name),
		tcnetwork.WithNetwork([]string{w.Name}, s.network),
		testcontainers.WithEndpointSettingsModifier(func(all map[string]*network.EndpointSettings) {
			all[s.network.Name].IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: s.component}
		}),
		testcontainers.WithConfigModifier(func(c *container.Config) {
			c.Cmd, c.ExposedPorts, c.Hostname = slices.Concat(h.opts.Hold, b.args()), nil, w.Hostname
			c.User = ownUser() // whose the socket is
		}),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			quiet(c)
			b.configure(c)
		}),
	)...)
	if err != nil {
		return "", nil, fmt.Errorf("hold its address: %w", err)
	}
	lent, err = b.take(ctx)
	return c.GetContainerID(), lent, err
}

// common are the options of every container. What a failed call has made all the same carries our labels.
func (h *host) common(name string) []testcontainers.ContainerCustomizer {
	return []testcontainers.ContainerCustomizer{
		testcontainers.WithImageSubstitutors(present{h.engine}),
		testcontainers.WithName("wreckon-" + h.labels[labelOf][:8] + "-" + name),
		testcontainers.WithLabels(h.labelsOf(name)),
	}
}

// quiet leaves logs and ports to the harness.
func quiet(c *container.HostConfig) {
	c.PortBindings = nil
	c.LogConfig = container.LogConfig{Type: "none"}
}

// Start makes the container of a component, the first time, and starts it.
func (h *host) Start(ctx context.Context, p environment.Process, output *os.File) (environment.Running, error) {
	h.mu.Lock()
	m := h.made[p.Name]
	h.mu.Unlock()
	if m == nil {
		var err error
		if m, err = h.create(ctx, p); err != nil {
			return nil, errors.Join(err, output.Close())
		}
		h.mu.Lock()
		h.made[p.Name] = m
		h.mu.Unlock()
	}
	return h.start(ctx, m, output)
}

// create makes the container of a component.
func (h *host) create(ctx context.Context, p environment.Process) (*made, error) {
	s, err := h.site(p.Name)
	if err != nil {
		return nil, err
	}
	image, err := h.imageOf(ctx, p)
	if err != nil {
		return nil, err
	}
	mounts, err := h.mounts(ctx, p.Container)
	if err != nil {
		return nil, err
	}
	c, err := testcontainers.Run(ctx, image, append(h.common(p.Name),
		testcontainers.WithNoStart(),
		testcontainers.WithConfigModifier(func(c *container.Config) { h.configure(c, p) }),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			quiet(c)
			c.NetworkMode = container.NetworkMode("container:" + s.holder)
			c.Mounts = append(c.Mounts, mounts...)
			h.mount(c, p)
		}),
	)...)
	if err != nil {
		return nil, err
	}
	inspected, err := h.engine.ContainerInspect(ctx, c.GetContainerID(), client.ContainerInspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("look at container: %w", err)
	}
	made := &made{id: c.GetContainerID(), image: inspected.Container.Image, stop: "SIGTERM", own: p.Container == nil}
	if of := p.Container; of != nil {
		made.cpus, made.memory = of.CPUs, of.Memory
	}
	if config := inspected.Container.Config; config != nil {
		made.stop = cmp.Or(config.StopSignal, made.stop)
	}
	made.health, made.healthWithin, err = h.healthOf(ctx, image, p.Container)
	return made, err
}

// imageOf names the image of a component.
func (h *host) imageOf(ctx context.Context, p environment.Process) (string, error) {
	if p.Container != nil && p.Container.Build != nil {
		return builtName(p.Container.Build), nil
	}
	if p.Container != nil {
		return h.opts.image(p.Container.Image), nil
	}
	if p.Path != h.Binary {
		return "", fmt.Errorf("it runs %s of this machine, and names no image: in a container it needs one", p.Path)
	}
	return h.own(ctx)
}

// own names the image of the target's own binary.
func (h *host) own(ctx context.Context) (name string, err error) {
	h.mu.Lock() // the others wait: they need the same image
	defer h.mu.Unlock()
	if h.image == "" {
		h.image, err = own(ctx, h.engine, h.Binary)
	}
	return h.image, err
}

// configure says what runs in the container.
func (h *host) configure(c *container.Config, p environment.Process) {
	c.ExposedPorts = nil
	if of := p.Container; of != nil {
		describe(c, of)
		return
	}
	c.Env, c.Cmd = append(c.Env, p.Env...), p.Args
	c.Entrypoint, c.WorkingDir = []string{ownPath}, p.Dir
	c.User = ownUser() // whose the data directory is
}

// ownUser is who runs the harness.
func ownUser() string { return fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()) }

// mount gives the target's own components the run's data directory, under the path that it has here: paths in their arguments keep their
// meaning, and components that share files go on sharing them. What other images store stays in the container, over all its restarts.
func (h *host) mount(c *container.HostConfig, p environment.Process) {
	if p.Container != nil {
		limit(c, p.Container)
		return
	}
	c.Binds = append(c.Binds, h.Data+":"+h.Data)
}

// Images names the images of the components, each with its digest.
func (h *host) Images() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	images := map[string]string{}
	for name, m := range h.made {
		images[name] = m.image
	}
	return images
}

// Close removes the containers and the networks.
func (h *host) Close(ctx context.Context) error {
	h.end()
	for _, s := range h.sites {
		for _, l := range s.lent {
			_ = l.Close() // by its user, most of the time
		}
	}
	_, err := remove(ctx, h.engine, h.labels[labelOf])
	return errors.Join(err, h.engine.Close())
}

// notRunning tells that the engine refused because the container has ended already. Errors of engines have no better name for it.
func notRunning(err error) bool { return err != nil && strings.Contains(err.Error(), "is not running") }
