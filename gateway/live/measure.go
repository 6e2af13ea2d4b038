package live

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// spacePause lies between two rounds of questions for space. An answer serves
	// for spaceExpires; the rounds between find the destinations newly opened.
	spacePause = 15 * time.Second
	// spaceQuestions is how many destinations are asked at once.
	spaceQuestions = 4
)

// measureSpace keeps the free space of the destinations that are in use known,
// for the metrics, until ctx ends. None is opened for that, and one that fails
// its backups is not asked.
func (vs *views) measureSpace(ctx context.Context) {
	ticks := time.NewTicker(spacePause)
	defer ticks.Stop()
	for {
		vs.MeasureSpace(ctx)
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// MeasureSpace is one round of measureSpace.
func (vs *views) MeasureSpace(ctx context.Context) {
	v := vs.latest.Load()
	if v == nil {
		return
	}
	var questions errgroup.Group
	questions.SetLimit(spaceQuestions)
	for _, s := range v.Mounts {
		if !s.Guard.Works() || !s.isOpen() {
			continue
		}
		questions.Go(func() error {
			_, _ = s.space(ctx) // without an answer there is no metric; requests say why
			return nil
		})
	}
	_ = questions.Wait() // none returns an error
}
