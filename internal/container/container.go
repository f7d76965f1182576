// Package container says how a component is run in a container: all that a target may ask of it, in terms that every engine has. It is read by
// whoever runs containers and written by whoever describes targets, and must never know either.
package container

import "time"

// Spec is one component's container. The zero value of a field leaves it to the image, and the image to the engine.
type Spec struct {
	Image string
	Build *Build // how Image is made; nil: it is there

	Entrypoint []string // in place of the image's own; the image's command is dropped with it
	Args       []string // in place of the image's own command
	Env        []string // NAME=value, beside those of the image
	User       string
	Groups     []string
	Dir        string
	StopSignal string
	Init       bool // a small process is the first, and reaps what the others leave
	ReadOnly   bool // nothing of the image can be written

	CapAdd, CapDrop []string
	Memory, Shared  int64 // bytes: of all memory, and of /dev/shm; 0: the engine's own limit
	CPUs            float64
	Tmpfs           []string // paths, each with options of mount behind a colon, or none
	Mounts          []Mount

	Health *Health // whether it serves, asked inside of it; nil: as the image says
	Once   bool    // it does its work and ends: it is ready when it has ended well
	After  []After // what must be so before it is started the first time
}

// Build says how an image is made.
type Build struct {
	Context    string // a directory of this machine, absolute
	Dockerfile string // path of the Dockerfile, from the context
	Target     string // stage; "": the last
	Args       map[string]*string
}

// Mount is something that a container sees at a path of its own.
type Mount struct {
	Path     string
	Volume   string // name of a volume, which all components of a run share, and which begins empty or with what the image has there
	Source   string // path on this machine, absolute. What is not read-only is copied for the run
	ReadOnly bool
}

// Health is a command that is run in the container and ends with 0 if it serves.
type Health struct {
	Command []string      // empty: it is not asked
	Within  time.Duration // how long the command may take; 0: 30 s
}

// When is what is waited for.
type When int

// What can be waited for.
const (
	Started When = iota
	Ready
	Ended // well
)

// After waits for another component.
type After struct {
	Component string
	When      When
}
