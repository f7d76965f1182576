package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Latest is the name of the link, beside the run directories, to the one that was started last.
const Latest = "latest"

// Create makes a new run directory below root and points root/latest at it. Two runs at once get two directories.
func Create(root, scenario string, now time.Time) (string, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("create run directory: %w", err)
	}
	base := now.UTC().Format("2006-01-02T15-04-05Z") + "-" + scenario
	for n := 0; ; n++ {
		// The suffix tells runs of the same second apart: the process, and a count within it.
		dir := filepath.Join(root, base+"-"+strconv.FormatInt(int64(os.Getpid()), 36)+strconv.FormatInt(int64(n), 36))
		err := os.Mkdir(dir, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, LogsDir), 0o755)
		}
		if err != nil {
			return "", fmt.Errorf("create run directory: %w", err)
		}
		link(root, filepath.Base(dir))
		return dir, nil
	}
}

// link points root/latest at a run. It is a convenience: where links cannot be made the run goes on without.
func link(root, name string) {
	tmp := filepath.Join(root, "."+Latest+"-"+name)
	if os.Symlink(name, tmp) != nil {
		return
	}
	if os.Rename(tmp, filepath.Join(root, Latest)) != nil {
		_ = os.Remove(tmp)
	}
}
