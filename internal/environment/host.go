package environment

import (
	"context"
	"net"
	"os"
	"syscall"

	"github.com/wreckon/wreckon/internal/container"
)

// Process says how one component is run.
type Process struct {
	Name string
	Path string   // of the binary; looked up in PATH if it has no slash
	Args []string // without the name of the binary
	Env  []string // NAME=value. A process has them beside those of the harness, a container has no others
	Dir  string   // "": that of the harness
	// Container says how it is run in a container, if not as the program in an image that holds nothing else.
	Container *Container
	// Ready is one probe, from outside: nil means that the component serves. It is asked every few milliseconds while the
	// component starts, and must honour its context. No probe: a component is ready as soon as it runs.
	Ready func(ctx context.Context) error
}

// Container says how one component is run in a container of an image.
type Container = container.Spec

// Want is what a component needs of its place. A process needs no more than its name.
type Want struct {
	Name     string
	Port     int    // that the program in its container serves on; 0: it serves where it is told
	Hostname string // that its container has; "": any
	Dials    []Dial // what it dials by names
}

// Dial is somebody whom a component in a container dials by names of its own choice.
type Dial struct {
	To    string   // who is meant, in the words of the harness
	Names []string // by which the component finds them, and no other component does
	Port  int
}

// Place is where a component is.
type Place struct {
	Listen  string // host:port that it serves on, and that the harness can dial
	Control string // the same for its control server
	Near    string // host at which the harness can listen for what this component dials
	// Lent is where the component dials those whom it dials by names, by who is meant. Nobody else can reach these
	// addresses. The host closes them with itself, at the latest; nil for processes.
	Lent map[string]net.Listener
}

// Site is what a host must know of the run.
type Site struct {
	Run    string // its name, for people
	Data   string // directory that the components may write to, absolute
	Binary string // program of every component that has no other
	Undo   Undo   // where everything is written down that would outlive the harness; may be nil
}

// Undo is where what a host starts and makes is written down, so that it is found if the harness is killed.
type Undo interface {
	Mark() string // an environment entry, NAME=value, for every process
	Process(pid int, name string) error
	ProcessGone(pid int) error
	Made(kind, id string) error // something that has to be removed, by whoever knows its kind
}

// Host is what runs components: this machine, or a container engine. Its methods are safe for concurrent use.
type Host interface {
	// Place finds an address for each component and keeps it from others until the component starts. It is called at most once.
	Place(ctx context.Context, wants []Want) (map[string]Place, error)
	// Contained tells that each component runs in a container: with files of its own but for Site.Data, and with no program that its image
	// does not hold.
	Contained() bool
	// Prepare gets what it takes to start components, and may take its time. It is called before any of them is started.
	Prepare(ctx context.Context, all []Process) error
	// Start runs a component and returns as soon as it runs. What the component prints goes to output, which belongs to Start: it is closed
	// when nobody writes to it any more, and on an error, which means that nothing runs.
	Start(ctx context.Context, p Process, output *os.File) (Running, error)
	// Images names what the containers of components were made from, by component, each with its digest. Of processes there are none.
	Images() map[string]string
	// Close removes what the host made. No component runs any more.
	Close(ctx context.Context) error
}

// Running is a component that a host has started. All but Wait is called under a lock of the component, and nothing after Reap.
type Running interface {
	PID() int // its first process, on the machine that runs it
	// Signal sends SIGKILL, SIGTERM, SIGSTOP or SIGCONT to all of it.
	Signal(ctx context.Context, sig syscall.Signal) error
	// Shows tells whether all of it is as SIGSTOP or SIGCONT leaves it. It is called without the lock.
	Shows(ctx context.Context, sig syscall.Signal) (bool, error)
	// Wait returns when it has ended, and before it is Reaped: nobody else has its name yet.
	Wait()
	// Reap ends whatever it left behind, and says how it ended: EndedWell if it did. It is called once, after Wait.
	Reap() (how string)
}

// EndedWell is how a component has ended whose program did what it had to do.
const EndedWell = "exit status 0"

// Asked is a Running that can be asked, inside of it, whether it serves. It is asked after Process.Ready.
type Asked interface {
	// Serves is nil if it does, or if there is nothing to ask. It bounds itself.
	Serves(ctx context.Context) error
}
