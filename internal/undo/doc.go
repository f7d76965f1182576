// Package undo is the list, on disk, of what has to be undone if the harness dies: the processes it started and the faults it
// began. A fault is written down before it begins, a process as soon as it has an id; the file goes away when a run ends in order.
// The next start, or a person, finishes what a killed harness left behind.
//
// The file is rundir.UndoFile, JSON Lines, one Record a line. The harness that writes it holds a lock on it (flock), which the
// kernel lets go of when the harness dies however it dies: that is how a cleaner tells a run that is going on from a leftover.
// Lines are written through to the kernel, not to the disk: they have to survive the harness, and after a reboot there is no
// process left to undo.
//
// The package must never know what a component, a fault kind or a scenario is: names are text for the person who reads the report.
package undo
