package containers

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// What the image of a target's own binary is called, and where the binary is in it.
const (
	ownImage = "wreckon/self"
	ownPath  = "/wreckon"
)

// own makes sure that the engine has the image of a binary, and gives its name. The image holds the binary and an empty /tmp, and its tag
// is the digest of the binary: whoever builds another one gets another image. It is imported, not built: no builder is needed, and no
// registry.
func own(ctx context.Context, engine *client.Client, binary string) (name string, err error) {
	f, err := os.Open(binary)
	if err != nil {
		return "", fmt.Errorf("make image of %s: %w", binary, err)
	}
	defer f.Close()
	if err := static(f); err != nil {
		return "", fmt.Errorf("make image of %s: %w", binary, err)
	}
	digest := sha256.New()
	size, err := io.Copy(digest, f)
	if err != nil {
		return "", fmt.Errorf("make image of %s: %w", binary, err)
	}
	tag := hex.EncodeToString(digest.Sum(nil))[:16]
	name = ownImage + ":" + tag
	if _, err := engine.ImageInspect(ctx, name); err == nil || !errdefs.IsNotFound(err) {
		return name, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("make image of %s: %w", binary, err)
	}
	layer, w := io.Pipe()
	defer layer.Close()
	go func() { w.CloseWithError(layerOf(w, f, size)) }()
	done, err := engine.ImageImport(ctx, client.ImageImportSource{Source: layer, SourceName: "-"}, ownImage, client.ImageImportOptions{
		Tag: tag, Message: "made by wreckon", Changes: []string{"LABEL " + labelOf + "=image", "ENTRYPOINT [\"" + ownPath + "\"]"},
	})
	if err != nil {
		return "", fmt.Errorf("make image of %s: %w", binary, err)
	}
	defer done.Close()
	if _, err := io.Copy(io.Discard, done); err != nil {
		return "", fmt.Errorf("make image of %s: %w", binary, err)
	}
	if _, err := engine.ImageInspect(ctx, name); err != nil {
		return "", fmt.Errorf("make image of %s: %w", binary, err)
	}
	discard(ctx, engine)
	return name, nil
}

// aboutToBeUsed is how long an image of a binary stays without a container: another harness may have made it, and be about to use it.
const aboutToBeUsed = time.Hour

// discard removes the images of binaries that nobody runs any more: each build leaves one. The engine keeps what a container was made from, and
// one too many is made again.
func discard(ctx context.Context, engine *client.Client) {
	old, err := engine.ImageList(ctx, client.ImageListOptions{
		Filters: client.Filters{}.Add("label", labelOf+"=image").Add("reference", ownImage),
	})
	if err != nil {
		return // it is a matter of tidiness alone
	}
	for _, image := range old.Items {
		if time.Since(time.Unix(image.Created, 0)) < aboutToBeUsed {
			continue
		}
		for _, tag := range image.RepoTags {
			_, _ = engine.ImageRemove(ctx, tag, client.ImageRemoveOptions{PruneChildren: true})
		}
	}
}

// layerOf writes the one layer of the image.
func layerOf(w io.Writer, binary io.Reader, size int64) error {
	layer := tar.NewWriter(w)
	if err := layer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	if err := layer.WriteHeader(&tar.Header{Name: ownPath[1:], Mode: 0o755, Size: size}); err != nil {
		return err
	}
	if _, err := io.Copy(layer, binary); err != nil {
		return err
	}
	return layer.Close()
}

// static tells whether a binary runs where there is nothing else.
func static(f io.ReaderAt) error {
	e, err := elf.NewFile(f)
	if err != nil {
		return fmt.Errorf("it is no Linux binary: %w", err)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked dynamically, and its image would hold no libraries: build it with CGO_ENABLED=0, as make build does")
		}
	}
	return nil
}
