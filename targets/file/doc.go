// Package file makes targets of target files: any system, described in YAML, without a line of Go. What a file declares is what can be
// judged; what it leaves out is not tested, never passed.
//
// It must never know scenarios, faults, checkers or reports, nor any target by name.
package file
