package environment

import "runtime"

// forker starts processes from one thread that lives as long as the environment. The parent-death signal fires when the *thread*
// that forked ends, not the process, and the runtime ends threads as it likes (https://go.dev/issue/27505).
type forker struct{ work chan func() }

func newForker() *forker {
	f := &forker{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for do := range f.work {
			do()
		}
	}()
	return f
}

func (f *forker) do(start func() error) error {
	done := make(chan error, 1)
	f.work <- func() { done <- start() }
	return <-done
}

func (f *forker) stop() { close(f.work) }
