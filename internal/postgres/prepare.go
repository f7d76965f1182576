package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// edition is part of a template's name: one that was made in another way is not used.
const edition = "1"

// initArgs make databases that are small, and the same wherever they are made.
var initArgs = []string{"--no-sync", "-E", "UTF8", "--locale", "C", "--wal-segsize", "1"}

// passwordFile lies in a template, beside the database.
const passwordFile = "password"

// Prepare makes a server in dir, which must not exist. Where PostgreSQL runs as an account of its own, dir must be in a place that this account
// can reach; see Room.
func (in Installation) Prepare(ctx context.Context, dir string) (Server, error) {
	template, err := in.template(ctx)
	if err != nil {
		return Server{}, fmt.Errorf("prepare PostgreSQL: %w", err)
	}
	password, err := os.ReadFile(filepath.Join(template, passwordFile))
	if err != nil {
		return Server{}, fmt.Errorf("prepare PostgreSQL: %w", err)
	}
	if err := in.as.copyTree(filepath.Join(template, "data"), dir); err != nil {
		return Server{}, fmt.Errorf("prepare PostgreSQL: %w", err)
	}
	return Server{Dir: dir, Password: string(password), in: in}, nil
}

// Room is a directory in which a server can be prepared, and that is to be removed after it: own, where the server runs as whoever runs this, and
// one of its own otherwise, for the account cannot reach into just any directory of root. Rooms whose makers are gone are removed.
func (in Installation) Room(own string) (string, error) {
	if in.as.name == "" {
		return own, nil
	}
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), "wreckon-postgres-*-*")) // the pattern is sound
	for _, dir := range old {
		var maker int
		_, err := fmt.Sscanf(filepath.Base(dir), "wreckon-postgres-%d-", &maker)
		if err == nil && errors.Is(syscall.Kill(maker, 0), syscall.ESRCH) && in.as.owns(dir) {
			_ = os.RemoveAll(dir) // somebody else may be doing the same
		}
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("wreckon-postgres-%d-*", os.Getpid()))
	if err == nil {
		err = os.Chown(dir, in.as.uid, in.as.gid)
	}
	if err != nil {
		return "", fmt.Errorf("make room for PostgreSQL: %w", err)
	}
	return dir, nil
}

// template finds the database that servers are copied from, and makes it if there is none. Several processes may do so at once.
func (in Installation) template(ctx context.Context) (string, error) {
	cache := "/var/cache/wreckon"
	if in.as.name == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "wreckon")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(cache, "postgres-"+in.Version+"-"+edition)
	if in.as.owns(path) {
		return path, nil
	}
	made, err := os.MkdirTemp(cache, "new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made) // nothing, once it has its name
	if err := in.initialise(ctx, made); err != nil {
		return "", err
	}
	if err := os.Rename(made, path); err != nil && !in.as.owns(path) { // somebody was faster
		return "", err
	}
	return path, nil
}

func (in Installation) initialise(ctx context.Context, dir string) error {
	password := filepath.Join(dir, passwordFile)
	if err := os.WriteFile(password, []byte(rand.Text()), 0o600); err != nil {
		return err
	}
	for _, p := range []string{dir, password} {
		if err := os.Chown(p, in.as.uid, in.as.gid); err != nil {
			return err
		}
	}
	// What is copied for each server is kept small: segments of the log, and databases that nobody uses.
	data := filepath.Join(dir, "data")
	err := in.tool(ctx, dir, "", "initdb", append([]string{"-D", data, "-U", User, "-A", "scram-sha-256", "--pwfile", password}, initArgs...)...)
	if err != nil {
		return err
	}
	return in.tool(ctx, dir, "UPDATE pg_database SET datistemplate = false\nDROP DATABASE template0\nDROP DATABASE template1\n",
		"postgres", "--single", "-D", data, "-c", "fsync=off", Database)
}

// tool runs one of PostgreSQL's programs to its end, as the account.
func (in Installation) tool(ctx context.Context, dir, stdin, name string, args ...string) error {
	c := exec.CommandContext(ctx, filepath.Join(in.bin, name), args...)
	c.Dir, c.Stdin = dir, strings.NewReader(stdin)
	if in.as.name != "" {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(in.as.uid), Gid: uint32(in.as.gid)}}
	}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// owns tells whether a directory is there and the account's own: what somebody else has put there is not used.
func (a account) owns(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == a.uid
}

// copyTree copies a database that nobody uses.
func (a account) copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		if d.IsDir() {
			err = os.Mkdir(target, 0o700)
		} else {
			err = copyFile(path, target)
		}
		if err == nil && a.name != "" {
			err = os.Chown(target, a.uid, a.gid)
		}
		return err
	})
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
