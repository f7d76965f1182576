// Package checkers judges a history: one file per guarantee, findings as data, and a verdict that is never better than what was
// checked. It reads histories and nothing else: it must never know how a run was made, which target it ran on, or how it will be
// reported. Unknown is not ok, skipped is not ok.
package checkers
