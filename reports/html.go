package reports

import (
	"fmt"
	"io"
)

// HTML writes report.html: one page that holds everything it needs.
func HTML(w io.Writer, r Run, o Options) error {
	_, err := fmt.Fprintf(w, "<!doctype html><meta charset=utf-8><title>%s</title><h1>%[1]s</h1><p>%s</p>\n", markup(line(word(r.Result.Verdict)+" · "+scenario(r))), markup(line(why(r))))
	return err
}
