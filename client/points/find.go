package points

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
)

// finding holds the options of find.
type finding struct {
	in         string // snapshot, "" for all
	newest     int    // how many snapshots, 0 for all
	ignoreCase bool
	asJSON     bool

	pattern string
	exclude restic.Exclude // matches by restic's rules for patterns
}

func newFind(sys *host.System) *cobra.Command {
	var p place
	var f finding
	cmd := &cobra.Command{
		Use:   "find [flags] MODULE PATTERN",
		Short: "Find a file in the snapshots of a module",
		Long: `Find a file in the snapshots of a module, the newest first. PATTERN is a name, or
several with slashes between, with * and ? and [a-z]; ** stands for any number of
directories, and a slash at its begin for the root. What is below a directory that
matches is not listed.

A snapshot that nobody has looked into yet is listed by restic first, which takes some
seconds; --newest and --snapshot bound how many.`,
		Example: `  gatewayctl snapshot find myapp1 '*.odt'
  gatewayctl snapshot find --newest 3 --json myapp1 'docs/*'`,
		Annotations: status(),
		Args:        cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.setPattern(args[1]); err != nil {
				return err
			}
			o, err := p.open(cmd.Context(), sys, args[0])
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), sys, o)
		},
	}
	p.addFlags(sys, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.in, "snapshot", "", "only in the snapshot with this `ID`")
	flags.IntVar(&f.newest, "newest", 0, "only in the newest `N` snapshots")
	flags.BoolVarP(&f.ignoreCase, "ignore-case", "i", false, "take capital and small letters for the same")
	flags.BoolVar(&f.asJSON, "json", false, "print a line of JSON for each")
	return cmd
}

func (f *finding) setPattern(pattern string) error {
	if f.newest < 0 {
		return exit.Failf(exit.Usage, "--newest %d is negative", f.newest)
	}
	f.pattern = pattern
	if f.ignoreCase {
		pattern = strings.ToLower(pattern)
	}
	if _, err := path.Match(pattern, ""); err != nil || strings.Trim(pattern, "/") == "" {
		return exit.Failf(exit.Usage, "%q is not a valid pattern", f.pattern)
	}
	if strings.HasPrefix(pattern, "!") {
		pattern = `[!]` + pattern[1:] // the name may begin with "!"
	}
	f.exclude = restic.ParseExclude(pattern)
	return nil
}

// matches reports whether a node itself matches, not only a parent directory.
func (f *finding) matches(n snapshot.Node) bool {
	name := n.Path
	if f.ignoreCase {
		name = strings.ToLower(name)
	}
	return f.exclude.Matches(name) && !f.exclude.Matches(path.Dir(name))
}

func (f *finding) run(ctx context.Context, sys *host.System, o *opened) error {
	snapshots, err := f.where(ctx, o)
	if err != nil {
		return err
	}
	show, flush := f.printer(sys)
	found := 0
	for _, s := range snapshots {
		err := o.cache.WithTree(ctx, o.source, s.ID, func(t *snapshot.Tree) error {
			var nodes []snapshot.Node
			err := t.Walk("/", func(n snapshot.Node) error {
				if f.matches(n) {
					nodes = append(nodes, n)
				}
				return nil
			})
			slices.SortFunc(nodes, func(a, b snapshot.Node) int { return strings.Compare(a.Path, b.Path) })
			found += len(nodes)
			for _, n := range nodes {
				err = errors.Join(err, show(s, n))
			}
			return err
		})
		if err != nil {
			return errors.Join(flush(), err)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if found == 0 {
		return exit.Failf(exit.NotFound, "nothing in %d snapshots of %s matches %s", len(snapshots), o.word(), shown(f.pattern))
	}
	return nil
}

// where returns the snapshots to search, newest first.
func (f *finding) where(ctx context.Context, o *opened) ([]snapshot.Snapshot, error) {
	if f.in != "" {
		s, err := o.snapshot(ctx, f.in)
		return []snapshot.Snapshot{s}, err
	}
	l, err := o.list(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(l.Snapshots)
	if f.newest > 0 && f.newest < len(l.Snapshots) {
		return l.Snapshots[:f.newest], nil
	}
	return l.Snapshots, nil
}

// foundJSON is a match in the JSON output.
type foundJSON struct {
	Snapshot string `json:"snapshot"`
	Time     string `json:"time"`
	nodeJSON
}

func (f *finding) printer(sys *host.System) (show func(snapshot.Snapshot, snapshot.Node) error, flush func() error) {
	if f.asJSON {
		lines := newLines(sys.Stdout)
		return func(s snapshot.Snapshot, n snapshot.Node) error {
			return lines.encode(foundJSON{s.ID, s.Time.Format(timeJSON), nodeJSONOf(n)})
		}, lines.flush
	}
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SNAPSHOT\tOF\tSIZE\tMODIFIED\tPATH")
	return func(s snapshot.Snapshot, n snapshot.Node) error {
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Short(), when(s.Time), host.FormatBytes(n.Size), when(n.MTime), shown(relative(n.Path)))
		return err
	}, table.Flush
}
