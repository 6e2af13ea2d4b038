// Package programfile gives back the memory that pages of the program's own file take,
// which come back by themselves when they are needed. Whoever imports it has its start
// watched until it calls Started. It imports little, so that its turn comes early when
// packages are initialised.
package programfile

import (
	"sync"
	"time"
)

const (
	// startPages is how many MiB of the program's own file may stay in memory while it
	// starts. Less would cost more time: what is read again is given back again.
	startPages = 16
	// startLook is how often that is looked at. A start reads some 1 MiB in that time.
	startLook = time.Millisecond
)

// started is closed when the packages are initialised.
var started = make(chan struct{})

// Started says that the packages of the program are initialised, and gives back what
// this has read of the program's file.
var Started = sync.OnceValue(func() error {
	close(started)
	return Drop()
})

// The initialisation of packages reads most of a large program, each page once. Before
// this package's turn comes, Go's own start has read all descriptions of types.
func init() {
	p, err := findProgram()
	if err != nil || len(p.parts) == 0 {
		return // it only takes more memory
	}
	p.trim(0)
	go p.watch()
}

// watch gives back pages of the program's file until its start is over.
func (p *program) watch() {
	ticks := time.NewTicker(startLook)
	defer ticks.Stop()
	for {
		select {
		case <-started:
			return
		case <-ticks.C:
			p.trim(startPages << 20)
		}
	}
}
