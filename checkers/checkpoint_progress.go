package checkers

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/wreckon/wreckon/history"
)

var checkpointProgress = Guarantee{
	Name:    "checkpoint-progress",
	Promise: "Work in chunks goes on from its last checkpoint, and does no chunk twice.",
	Finds: "Work that is taken up again, by another attempt, another component or a process started anew, or that turns back by itself, at a chunk " +
		"that a durable checkpoint covered, or further behind the last finished chunk than the claimed distance of checkpoints. A chunk whose " +
		"effect is in force twice. A checkpoint that covers a chunk whose effect landed only after it, or which was never worked on at all. " +
		"A worker that goes on from where it stood is not taken up again, and chunks after the last checkpoint may be done again.",
	Needs: []string{history.FeedStarts},
	Uses:  []string{history.FeedEffects},
	Check: checkCheckpointProgress,
}

func checkCheckpointProgress(c *Case) Judgement {
	if len(c.claims.Checkpoints) == 0 {
		return Judgement{Status: NotTested, Reason: "the target claims no work in chunks with checkpoints (claims: checkpoints)"}
	}
	w := chunkwork{Case: c, jobs: make(map[jobKey]*job), born: make(map[history.Ref]int), lands: make(map[string]bool)}
	for i := range c.H.Kind {
		w.event(uint32(i))
	}
	for _, j := range w.order {
		w.cover(j)
	}
	j := c.judgement("checkpoint-progress", "chunks", w.checked, w.suspects)
	if w.open != "" {
		return j.unknown(w.open)
	}
	return j
}

// chunkwork follows every piece of work that is done in chunks.
type chunkwork struct {
	*Case
	jobs     map[jobKey]*job
	order    []*job
	born     map[history.Ref]int // component -> how often its process began or ended
	lands    map[string]bool     // step -> its effects are seen, chunk by chunk
	checked  int                 // chunks begun
	suspects []suspect
	open     string // why something could not be decided
}

type jobKey struct {
	claim int
	unit  history.Unit
}

// job is the work of one unit, or of none, in chunks.
type job struct {
	claim   history.Checkpoints
	unit    int // -1: none
	runs    map[runKey]reached
	attempt uint32 // the latest
	chunks  map[uint64]*chunk
	net     map[chunkKey][]uint32 // effects in force of each chunk
	marks   []mark                // checkpoints, each further than the one before
	first   uint64                // chunk; 0: not known yet
	last    uint64                // chunks up to here are finished, one after the other
	lastAt  uint32                // where the last of them was; none: none is
}

// runKey names who works at a job; reached is how far that is.
type runKey struct {
	component history.Ref
	attempt   uint32
}

type reached struct {
	chunk uint64 // the last one begun
	born  int
}

type chunk struct{ start, finish, effect uint32 }

// chunkKey names a chunk by its number, or where effects carry none, by their key.
type chunkKey struct {
	token uint64
	key   history.Ref
}

type mark struct {
	chunk uint64
	i     uint32
}

func (w *chunkwork) event(i uint32) {
	switch kind := w.H.Kind[i]; kind {
	case history.KindProcess:
		switch w.H.Outcome[i] {
		case history.OutcomeStarted, history.OutcomeKilled, history.OutcomeExited:
			w.born[w.H.Comp[i]]++
		}
	case history.KindStart, history.KindFinish, history.KindEffect:
		for n, claim := range w.claims.Checkpoints {
			if r := w.refs.ref(claim.Step); claim.Step == "" || w.H.Step[i] != r {
				continue
			}
			j := w.job(jobKey{n, w.col[i]})
			switch {
			case kind == history.KindEffect:
				w.effect(j, i)
			case w.H.Token[i] == 0: // no chunk
			case kind == history.KindStart:
				w.start(j, i)
			case w.H.Op[i] == w.refs.ref("checkpoint"):
				j.checkpoint(w.H.Token[i], i)
			default:
				x := j.chunk(w.H.Token[i])
				x.finish = min(x.finish, i)
				j.advance()
			}
		}
	}
}

func (w *chunkwork) job(k jobKey) *job {
	j := w.jobs[k]
	if j == nil {
		j = &job{claim: w.claims.Checkpoints[k.claim], unit: -1, runs: make(map[runKey]reached), chunks: make(map[uint64]*chunk),
			net: make(map[chunkKey][]uint32), lastAt: none}
		if k.unit != history.NoUnit {
			j.unit = int(k.unit)
			if w.units[j.unit].asked != none { // it began within the history
				j.first = 1
			}
		}
		w.jobs[k] = j
		w.order = append(w.order, j)
	}
	return j
}

// chunk finds a chunk. The first one heard of is the first of a job that nobody saw begin.
func (j *job) chunk(n uint64) *chunk {
	if j.first == 0 {
		j.first, j.last = n, n-1
	}
	x := j.chunks[n]
	if x == nil {
		x = &chunk{start: none, finish: none, effect: none}
		j.chunks[n] = x
	}
	return x
}

func (j *job) advance() {
	for x := j.chunks[j.last+1]; x != nil && x.finish != none; x = j.chunks[j.last+1] {
		j.last, j.lastAt = j.last+1, x.finish
	}
}

func (j *job) checkpoint(n uint64, i uint32) {
	if k := len(j.marks); k == 0 || j.marks[k-1].chunk < n {
		j.marks = append(j.marks, mark{n, i})
	}
}

// start judges where a worker begins, unless it only goes on.
func (w *chunkwork) start(j *job, i uint32) {
	w.checked++
	n, key, born := w.H.Token[i], runKey{w.H.Comp[i], w.H.Attempt[i]}, w.born[w.H.Comp[i]]
	r, known := j.runs[key]
	goesOn := known && r.born == born && n > r.chunk
	left := key.attempt < j.attempt // another has taken over: a zombie is not what resumed the work
	j.runs[key], j.attempt = reached{n, born}, max(j.attempt, key.attempt)
	x := j.chunk(n)
	x.start = min(x.start, i)
	if goesOn || left {
		return
	}
	var m mark
	if k := len(j.marks); k > 0 {
		m = j.marks[k-1]
	}
	switch every := uint64(max(j.claim.Every, 1)); {
	case n <= m.chunk:
		w.add(j, []uint32{m.i, i}, func() string {
			return fmt.Sprintf("%s was taken up again at chunk %d at %s, though a checkpoint at %s covered everything up to chunk %d: %s",
				w.work(j), n, when(w.at(i)), when(w.at(m.i)), m.chunk, again(m.chunk-n+1))
		})
	case n >= j.first && j.last >= n && j.last-n+1 > every:
		done, doneAt := j.last, j.lastAt
		w.add(j, []uint32{doneAt, i}, func() string {
			return fmt.Sprintf("%s was taken up again at chunk %d at %s, though chunk %d was finished at %s and there is to be a checkpoint every %s: %s",
				w.work(j), n, when(w.at(i)), done, when(w.at(doneAt)), chunks(every), again(done-n+1))
		})
	}
}

func chunks(n uint64) string {
	if n == 1 {
		return "chunk"
	}
	return fmt.Sprintf("%d chunks", n)
}

func again(n uint64) string {
	if n == 1 {
		return "1 chunk is done again"
	}
	return fmt.Sprintf("%d chunks are done again", n)
}

// effect counts the effects of a chunk.
func (w *chunkwork) effect(j *job, i uint32) {
	token, undo := w.H.Token[i], w.H.Op[i] == w.undo
	if token > 0 && !undo && w.H.Outcome[i] != history.OutcomeRefused {
		w.lands[j.claim.Step] = true
		x := j.chunk(token)
		if x.effect == none && w.H.Outcome[i] == history.OutcomeDeduplicated {
			x.effect = 0 // the sink had seen it before the history began
		}
		x.effect = min(x.effect, i)
	}
	key := chunkKey{token: token}
	if token == 0 {
		key.key = w.H.Key[i]
	}
	if w.H.Outcome[i] != history.OutcomeApplied || key == (chunkKey{}) {
		return
	}
	inForce := j.net[key]
	if undo {
		j.net[key] = inForce[:max(len(inForce)-1, 0)]
		return
	}
	j.net[key] = append(inForce, i)
	if len(inForce) != 1 { // the first time that it is in force twice is the finding
		return
	}
	name := "the chunk with key " + clip(w.str(key.key), 60)
	if token > 0 {
		name = fmt.Sprintf("chunk %d", token)
	}
	first := inForce[0]
	w.add(j, []uint32{first, i}, func() string {
		return fmt.Sprintf("%s of %s took effect twice: at %s, and again at %s %s", name, w.work(j), when(w.at(first)), when(w.at(i)), w.underKey(first, i))
	})
}

// cover asks of every chunk that a checkpoint covered whether it had been done by then.
func (w *chunkwork) cover(j *job) {
	if len(j.marks) == 0 {
		return
	}
	numbers := slices.Sorted(maps.Keys(j.chunks))
	next, covered := uint64(1), min(j.marks[len(j.marks)-1].chunk, math.MaxUint64-1)
	if j.unit < 0 || w.units[j.unit].asked == none { // it may have begun before the history did
		if len(numbers) == 0 {
			w.undecided(w.work(j) + ": there is a checkpoint, and not one of its chunks was seen")
			return
		}
		next = numbers[0]
	}
	var skipped, late []uint64 // the first chunks of stretches
	var missing uint64
	for _, n := range append(numbers, covered+1) {
		if n > covered+1 || n < next {
			continue
		}
		if n > next {
			skipped = append(skipped, next)
			missing += n - next
		}
		next = n + 1
		x := j.chunks[n]
		if n > covered || x == nil {
			break
		}
		m := j.covering(n)
		switch {
		case x.finish < m.i || x.effect < m.i || x.effect == none && x.finish != none: // what is finished may be told late
		case x.effect != none:
			late = append(late, n)
		case w.lands[j.claim.Step]:
			skipped = append(skipped, n)
			missing++
		default:
			w.undecided(fmt.Sprintf("%s: chunk %d was begun and covered by a checkpoint, and nobody saw it end", w.work(j), n))
		}
	}
	if len(late) > 0 {
		n := late[0]
		m, x := j.covering(n), j.chunks[n]
		w.add(j, []uint32{m.i, x.effect}, func() string {
			return fmt.Sprintf("the checkpoint of %s at %s covers chunk %d, which took effect only at %s: a crash between the two would lose it",
				w.work(j), when(w.at(m.i)), n, when(w.at(x.effect)))
		})
	}
	if len(skipped) > 0 {
		w.skipped(j, skipped[0], missing)
	}
}

// skipped judges a chunk that a checkpoint covered and that nobody ever did. It may be done yet, and be seen late, unless the target has
// come to rest.
func (w *chunkwork) skipped(j *job, n, missing uint64) {
	if w.H.Lost != "" || w.phases && !w.settled() {
		w.undecided(fmt.Sprintf("%s: a checkpoint covers chunk %d, which nobody was seen to do before the history ended", w.work(j), n))
		return
	}
	m := j.covering(n)
	w.add(j, []uint32{m.i}, func() string {
		text := fmt.Sprintf("the checkpoint of %s at %s covers everything up to chunk %d, and chunk %d was never done", w.work(j), when(w.at(m.i)), m.chunk, n)
		if missing > 1 {
			text += fmt.Sprintf(", nor were %d more", missing-1)
		}
		return text
	})
}

// covering is the first checkpoint that covers a chunk.
func (j *job) covering(n uint64) mark {
	k, _ := slices.BinarySearchFunc(j.marks, n, func(m mark, n uint64) int { return cmp.Compare(m.chunk, n) })
	return j.marks[min(k, len(j.marks)-1)]
}

func (w *chunkwork) work(j *job) string {
	if j.unit < 0 {
		return clip(j.claim.Step, 60)
	}
	return clip(j.claim.Step, 60) + " of " + w.name(j.unit)
}

func (w *chunkwork) add(j *job, events []uint32, say func() string) {
	w.suspects = append(w.suspects, suspect{unit: j.unit, events: events, say: say})
}

func (w *chunkwork) undecided(why string) { w.open = coalesce(w.open, why) }
