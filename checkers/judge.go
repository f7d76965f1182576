package checkers

import "github.com/wreckon/wreckon/history"

// Case is a history prepared for judging.
type Case struct{ H *history.History }

func judge(h *history.History, spec Spec) Result { return Result{} }
