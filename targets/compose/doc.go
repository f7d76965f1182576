// Package compose reads compose files as the Compose specification has them, with its own loader, and says how each service is run in a
// container, by which names and at which port it is found, and who depends on whom. What is not supported is refused, by its name and its place.
//
// It must never know a target file, an engine, or what a service is for.
package compose
