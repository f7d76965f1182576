// Package reports writes what a run came to, for its three readers: a pipeline (exit code, JUnit, result.json, Markdown), an
// engineer (the terminal, the findings and the timeline of report.html), and the person who signs (what was promised, what was
// tried, what held, what was not tested).
//
// It takes a judged run and writes it down. It must never judge: no writer changes a verdict, and a writer that fails costs its
// own file only. It must never know how a run was made, open a network connection, serve anything or start a browser.
//
// Everything that a run recorded is text that somebody else chose: an order id can hold a script, a terminal escape or ten
// megabytes. Each writer escapes for its own form, and clips what it shows. Only result.json holds everything in full.
package reports
