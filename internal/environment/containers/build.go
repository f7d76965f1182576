package containers

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testcontainers/testcontainers-go"

	spec "github.com/wreckon/wreckon/internal/container"
)

// builtName is what the image of a build is called: the same for the same build, so that the next run finds most of it done, and a name of
// ours, so that nobody's image is replaced.
func builtName(b *spec.Build) string {
	text, err := json.Marshal(b)
	if err != nil { // it holds texts only
		text = []byte(b.Context)
	}
	sum := sha256.Sum256(text)
	return "wreckon/built:" + strings.ToLower(strings.Trim(filepath.Base(b.Context), ".-_/")) + "-" + hex.EncodeToString(sum[:6])
}

// build makes the image of a build, as docker build does, with the engine's own builder.
func (h *host) build(ctx context.Context, b *spec.Build) error {
	if err := h.bases(ctx, b); err != nil {
		return fmt.Errorf("build image of %s: %w", b.Context, err)
	}
	if h.opts.Note != nil {
		h.opts.Note("building the image of " + b.Context)
	}
	name := builtName(b)
	repo, tag, _ := strings.Cut(name, ":")
	req := testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{
		Context: b.Context, Dockerfile: b.Dockerfile, BuildArgs: b.Args, Repo: repo, Tag: tag, KeepImage: true,
	}}
	opts, err := req.BuildOptions()
	if err != nil {
		return fmt.Errorf("build image of %s: %w", b.Context, err)
	}
	if c, ok := opts.Context.(io.Closer); ok {
		defer c.Close()
	}
	opts.Labels = map[string]string{labelOf: "image"} // those of a run would have it removed with the run
	opts.Target, opts.Tags, opts.Remove, opts.ForceRemove = b.Target, []string{name}, true, true
	result, err := h.engine.ImageBuild(ctx, opts.Context, opts)
	if err != nil {
		return fmt.Errorf("build image of %s: %w", b.Context, err)
	}
	defer result.Body.Close()
	return built(result.Body, b.Context)
}

// built reads what the engine says of a build, and quotes the end of it where it failed.
func built(said io.Reader, of string) error {
	var last []string
	for d := json.NewDecoder(said); ; {
		var m struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("build image of %s: %w", of, err)
		case m.Error != "":
			return fmt.Errorf("build image of %s: %s\n  %s", of, m.Error, strings.Join(last, "\n  "))
		}
		if text := strings.TrimSpace(m.Stream); text != "" {
			last = append(last, text)
			last = last[max(0, len(last)-15):]
		}
	}
}

// bases refuses a build whose base images are not there, where nothing may be pulled: the engine would.
func (h *host) bases(ctx context.Context, b *spec.Build) error {
	if h.opts.Pull {
		return nil
	}
	f, err := os.Open(filepath.Join(b.Context, b.Dockerfile))
	if err != nil {
		return err
	}
	defer f.Close()
	stages := []string{"scratch"}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || !strings.EqualFold(words[0], "FROM") {
			continue
		}
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
		if len(words) > 1 && !slices.Contains(stages, words[1]) && !strings.Contains(words[1], "$") {
			if err := has(ctx, h.engine, words[1]); err != nil {
				return err
			}
		}
		if len(words) > 3 {
			stages = append(stages, words[3])
		}
	}
	return nil
}
