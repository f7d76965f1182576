package history

import (
	"fmt"
	"io"
)

// Import says how to read a history that nobody recorded for us. Its zero value takes the text form as it is.
type Import struct {
	Mapping *Mapping // what the lines mean; nil: their fields are those of events
	Claims  *Claims  // what the target promises, in place of what the header says; nil: what the header says
}

// Read reads a history in text form, or a log that the mapping makes one of. See ReadJSONL.
func (im Import) Read(r io.Reader) (*History, error) { return readText(r, im) }

// foreign refuses to read a recorded history as something else than it says it is.
func (im Import) foreign() error {
	if im.Mapping != nil || im.Claims != nil {
		return fmt.Errorf("it was recorded, and holds its own fields and claims: a mapping and claims are for histories in text form")
	}
	return nil
}
