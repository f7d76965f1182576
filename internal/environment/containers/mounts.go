package containers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/wreckon/wreckon/internal/environment"
)

// What a copy may take: a directory that is larger is meant to be seen, not to be written to.
const (
	mostBytes = 256 << 20
	mostFiles = 20_000
)

// mounts makes what a component's container sees of elsewhere. A volume is made for the run. What no component may write to is seen as it is; of the rest
// the run has a copy, which all its components share, those that only read as well, and nobody's files are changed.
func (h *host) mounts(ctx context.Context, of *environment.Container) ([]mount.Mount, error) {
	if of == nil {
		return nil, nil
	}
	h.mu.Lock() // two components may want the same
	defer h.mu.Unlock()
	var all []mount.Mount
	for _, m := range of.Mounts {
		out := mount.Mount{Type: mount.TypeVolume, Target: m.Path, ReadOnly: m.ReadOnly}
		switch {
		case m.Volume != "":
			out.Source = "wreckon-" + h.labels[labelOf][:8] + "-" + m.Volume
			_, err := h.engine.VolumeCreate(ctx, client.VolumeCreateOptions{Name: out.Source, Labels: h.labelsOf(m.Volume)})
			if err != nil {
				return nil, fmt.Errorf("make volume %s: %w", m.Volume, err)
			}
		case m.Source != "":
			var err error
			out.Type = mount.TypeBind
			if out.Source, err = h.mounted(m.Source, m.ReadOnly); err != nil {
				return nil, fmt.Errorf("mount %s: %w", m.Path, err)
			}
		}
		all = append(all, out)
	}
	return all, nil
}

// written are the files and directories of this machine that components may write to, but for what is inside of another one.
func written(all []environment.Process) []string {
	var sources []string
	for _, p := range all {
		if p.Container == nil {
			continue
		}
		for _, m := range p.Container.Mounts {
			if m.Source != "" && !m.ReadOnly {
				if real, err := filepath.EvalSymlinks(m.Source); err == nil { // of what is not there mounted says so
					sources = append(sources, real)
				}
			}
		}
	}
	slices.Sort(sources) // what holds another one comes first
	var roots []string
	for _, s := range sources {
		if !slices.ContainsFunc(roots, func(root string) bool { _, in := inside(root, s); return in }) {
			roots = append(roots, s)
		}
	}
	return roots
}

// inside gives the way from a directory to what is in it. A file or a directory is inside of itself.
func inside(root, path string) (rest string, in bool) {
	rest, err := filepath.Rel(root, path)
	return rest, err == nil && filepath.IsLocal(rest)
}

// mounted is where a container finds what is at a path of this machine. Links are followed first: a copy of a link would lead to the original.
func (h *host) mounted(source string, readOnly bool) (string, error) {
	real, err := filepath.EvalSymlinks(source)
	if err != nil {
		return "", err
	}
	for _, root := range h.written {
		if rest, in := inside(root, real); in {
			to, err := h.copied(root)
			return filepath.Join(to, rest), err
		}
	}
	if !readOnly { // it was not there when all were looked at
		return h.copied(real)
	}
	return real, nil
}

// copied is the run's copy of a file or a directory.
func (h *host) copied(source string) (string, error) {
	sum := sha256.Sum256([]byte(source))
	to := filepath.Join(h.Data, "mounts", filepath.Base(source)+"-"+hex.EncodeToString(sum[:4]))
	if _, err := os.Lstat(to); err == nil {
		return to, nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", fmt.Errorf("copy %s: %w", source, err)
	}
	data, err := filepath.EvalSymlinks(h.Data) // the run may be below what is copied
	if err != nil {
		return "", fmt.Errorf("copy %s: %w", source, err)
	}
	c := copying{bytes: mostBytes, files: mostFiles}
	err = filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == data { // it would be copied into itself, without end
			return filepath.SkipDir
		}
		rest, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		return c.copy(path, filepath.Join(to, rest), d)
	})
	if err != nil {
		return "", fmt.Errorf("copy %s, which the component may write to: %w", source, errors.Join(err, os.RemoveAll(to)))
	}
	return to, nil
}

// copying is what a copy may still take.
type copying struct{ bytes, files int64 }

func (c *copying) copy(from, to string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if c.files--; c.files < 0 {
		return fmt.Errorf("it has more than %d files: mount it read-only, or name a volume", mostFiles)
	}
	mode := info.Mode()
	switch {
	case d.IsDir():
		mode |= 0o700 // what is in it is still to be copied, and to be removed one day
		err = os.MkdirAll(to, 0o700)
	case info.Mode().IsRegular():
		if c.bytes -= info.Size(); c.bytes < 0 {
			return fmt.Errorf("it is larger than %d MB: mount it read-only, or name a volume", mostBytes>>20)
		}
		err = copyFile(from, to)
	case info.Mode()&fs.ModeSymlink != 0:
		var at string
		if at, err = os.Readlink(from); err == nil {
			err = os.Symlink(at, to)
		}
		return err
	default:
		return nil // a socket or a device: it works where it is, or nowhere
	}
	if err != nil {
		return err
	}
	if err := owner(to, info); err != nil { // a chown takes bits of the mode away
		return err
	}
	return os.Chmod(to, mode)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
