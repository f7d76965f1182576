package containers

import (
	"io/fs"
	"os"
	"syscall"
)

// owner gives a copy to whom the original belongs, where that is allowed: a server may insist on it.
func owner(path string, of fs.FileInfo) error {
	stat, ok := of.Sys().(*syscall.Stat_t)
	if !ok || os.Getuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(stat.Uid), int(stat.Gid))
}
