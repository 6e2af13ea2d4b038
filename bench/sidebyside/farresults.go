package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// farResults are the passages of each step by each route, in order of rounds.
type farResults struct {
	o      options
	routes []route
	steps  []farStep
	taken  map[string]map[string][]passage // by step and route
}

func (f *farResults) add(step farStep, r route, p passage) {
	if f.taken[step.name] == nil {
		f.taken[step.name] = map[string][]passage{}
	}
	f.taken[step.name][r.name] = append(f.taken[step.name][r.name], p)
	fmt.Fprintf(os.Stderr, "%s, %s: %.2f s, CPU %.2f + %.2f + %.2f s, %v\n", step.name, r.name, p.wall.Seconds(),
		p.client.Seconds(), p.server.Seconds(), p.store.Seconds(), p.asked)
}

// target is what each step must reach against restic's own way.
func (s farStep) target() float64 {
	if s.prune {
		return 1
	}
	return 0.85
}

// what names a step and how much it is about.
func (f *farResults) what(s farStep) string {
	if s.prune {
		return fmt.Sprintf("restic %s of %d packs", s.name, f.o.packs)
	}
	return fmt.Sprintf("restic %s of %d MiB", s.name, f.o.size)
}

// print writes a table of medians. The gateway's ratio to another way is the median of the
// rounds' ratios, below 1 where the gateway is faster.
func (f *farResults) print(w io.Writer) {
	fmt.Fprintf(w, "| S3 %v away | by | seconds | all rounds | ratio | requests | CPU of restic | of the server | of S3 | ratio of all CPU |\n", f.o.delay)
	fmt.Fprintln(w, "|---|---|---:|---:|---:|---|---:|---:|---:|---:|")
	for _, step := range f.steps {
		own := f.taken[step.name][f.routes[0].name]
		for i, r := range f.routes {
			all := f.taken[step.name][r.name]
			ratio, work := "", ""
			if i > 0 {
				ratio = fmt.Sprintf("%s takes %.2f×", f.routes[0].name, middle(ratiosOf(own, all, passage.seconds)))
				work = fmt.Sprintf("%.2f", middle(ratiosOf(own, all, passage.work)))
			}
			var rounds []string
			for _, p := range all {
				rounds = append(rounds, fmt.Sprintf("%.1f", p.wall.Seconds()))
			}
			fmt.Fprintf(w, "| %s | %s | %.1f | %s | %s | %s | %.2f | %.2f | %.2f | %s |\n", f.what(step), r.name,
				median(all, passage.seconds), strings.Join(rounds, " "), ratio, requestsOf(all),
				median(all, func(p passage) float64 { return p.client.Seconds() }),
				median(all, func(p passage) float64 { return p.server.Seconds() }),
				median(all, func(p passage) float64 { return p.store.Seconds() }), work)
		}
	}
}

// printRows writes rows of the table of ratios, all against restic's own way: those of the
// forwarder show how much nobody who stands between can reach.
func (f *farResults) printRows(w io.Writer) {
	for _, step := range f.steps {
		taken := func(route int) []passage { return f.taken[step.name][f.routes[route].name] }
		for _, row := range []struct {
			route int
			what  string
			value func(passage) float64
			goal  string
		}{
			{byGateway, "time", passage.seconds, twoDigits(step.target())},
			{byGateway, "CPU of all", passage.work, ""},
			{byForwarder, "time by the forwarder", passage.seconds, ""},
			{byForwarder, "CPU of all by the forwarder", passage.work, ""},
		} {
			ratios := ratiosOf(taken(row.route), taken(directly), row.value)
			fmt.Fprintf(w, "| %s, S3 %v away | %s | %s | %s | %s |\n", f.what(step), f.o.delay, f.routes[directly].name, row.what, spread(ratios, " | ", twoDigits), row.goal)
		}
	}
}

// requestsOf is what the last round asked for.
func requestsOf(all []passage) string {
	asked := all[len(all)-1].asked
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		parts = append(parts, fmt.Sprintf("%d %s", asked[name], name))
	}
	return strings.Join(parts, ", ")
}

func (p passage) seconds() float64 { return p.wall.Seconds() }

// work is the CPU of all who took part: where they share all the processors there are, a step
// cannot be faster than that lets it.
func (p passage) work() float64 { return (p.client + p.server + p.store).Seconds() }

func ratiosOf(own, other []passage, value func(passage) float64) []float64 {
	var ratios []float64
	for i := range min(len(own), len(other)) {
		ratios = append(ratios, value(own[i])/value(other[i]))
	}
	return ratios
}
