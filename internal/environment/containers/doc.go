// Package containers is the host that runs components in containers of a Docker engine on this machine, through testcontainers-go.
//
// Each component has a network of its own, internal and with a pinned subnet: the component is its second address, and the harness its
// first, the gateway. There the harness listens for what the component dials, which is its proxies, and from there it dials the component.
// The component can reach nothing beyond this machine and no other component, so that no connection can go past a proxy; and the
// address is held by a container of its own, so that it outlives the component.
//
// Everything that is made carries the labels of its run. One record in the undo log, written before anything is made, says by which of them
// Remove finds it. It must never touch what carries no such label, and never know what a component is for.
package containers
