package live

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// spacePause is the time between rounds. An answer is used for spaceExpires; rounds in
	// between only ask destinations that were opened since.
	spacePause = 15 * time.Second
	// spaceQuestions bounds concurrent requests.
	spaceQuestions = 4
)

// measureSpace keeps the free space of open destinations known, for the metrics, until ctx
// ends. It opens no destination, and does not ask failing ones.
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
			_, _ = s.space(ctx) // without an answer there is no metric; requests report the error
			return nil
		})
	}
	_ = questions.Wait() // none returns an error
}
