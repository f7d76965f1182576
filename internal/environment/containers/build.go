package containers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
	text, err := os.ReadFile(filepath.Join(b.Context, b.Dockerfile))
	if err != nil {
		return err
	}
	images, err := basesOf(string(text), b.Args)
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := has(ctx, h.engine, image); err != nil {
			return err
		}
	}
	return nil
}

var (
	copied   = regexp.MustCompile(`(?i)^\s*(?:COPY|ADD|RUN)\s.*?[-,]from=([^\s,]+)`)
	argument = regexp.MustCompile(`\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))`)
)

// basesOf is every image that a Dockerfile is built from: what its stages begin with, and what it copies from.
func basesOf(dockerfile string, given map[string]*string) (images []string, err error) {
	stages, args := []string{"scratch"}, map[string]string{}
	add := func(text string) {
		image, unknown := expand(text, args)
		_, number := strconv.Atoi(image)
		switch {
		case unknown != "":
			err = errors.Join(err, fmt.Errorf("image %s: %s has no value: give it one, in args of the build or in the Dockerfile", text, unknown))
		case number != nil && !slices.Contains(stages, image):
			images = append(images, image)
		}
	}
	for line := range strings.Lines(dockerfile) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case strings.EqualFold(words[0], "ARG") && len(stages) == 1: // before the first stage: the others are not for FROM
			for _, w := range words[1:] {
				name, value, set := strings.Cut(w, "=")
				if of, ok := given[name]; ok && of != nil {
					value, set = *of, true
				}
				if set {
					args[name] = strings.Trim(value, `"'`)
				}
			}
		case strings.EqualFold(words[0], "FROM"):
			words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
			if len(words) > 1 {
				add(words[1])
			}
			stages = append(stages, "") // also one without a name
			if len(words) > 3 {
				stages[len(stages)-1] = words[3]
			}
		default:
			if from := copied.FindStringSubmatch(line); from != nil {
				add(from[1])
			}
		}
	}
	return images, err
}

// expand puts the values of build arguments into a text, and says which has none.
func expand(text string, args map[string]string) (expanded, unknown string) {
	return argument.ReplaceAllStringFunc(text, func(ref string) string {
		m := argument.FindStringSubmatch(ref)
		name := m[1] + m[3]
		value := cmp.Or(args[name], m[2])
		if value == "" {
			unknown = name
		}
		return value
	}), unknown
}
