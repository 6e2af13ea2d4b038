package points

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
)

func newLs(sys *host.System) *cobra.Command {
	var p place
	var asJSON, recursive bool
	cmd := &cobra.Command{
		Use:   "ls [flags] MODULE SNAPSHOT [PATH]",
		Short: "Look into a snapshot",
		Long: `Look into a snapshot: list what is directly in PATH, or with --recursive all below it.
Restic lists the whole snapshot when it is first looked into; from then on it is browsed
without restic. The paths are those that restore-module --path takes.

A name in quotes has characters that a terminal does not show. Restic shows each byte
of a name that is not UTF-8 as "�".`,
		Example: `  gatewayctl snapshot ls myapp1 latest
  gatewayctl snapshot ls myapp1 latest volumes/data
  gatewayctl snapshot ls --recursive --json myapp1 latest volumes/data`,
		Annotations: status(),
		Args:        cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.open(cmd.Context(), sys, args[0])
			if err != nil {
				return err
			}
			dir := "/"
			if len(args) > 2 {
				dir = path.Clean("/" + args[2])
			}
			return runLs(cmd.Context(), sys, o, args[1], dir, recursive, asJSON)
		},
	}
	p.addFlags(sys, cmd)
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "list all below PATH")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each")
	return cmd
}

func runLs(ctx context.Context, sys *host.System, o *opened, word, dir string, recursive, asJSON bool) error {
	id, err := o.snapshotNamed(ctx, word)
	if err != nil {
		return err
	}
	return o.cache.WithTree(ctx, o.source, id, func(t *snapshot.Tree) error {
		top, err := t.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return exit.Failf(exit.NotFound, "snapshot %s does not hold %s", restic.ShortID(id), shown(relative(dir)))
		}
		if err != nil {
			return err
		}
		show, flush := nodePrinter(sys, asJSON)
		switch {
		case !top.IsDir():
			err = show(top)
		case recursive:
			err = t.Walk(dir, show)
		default:
			var nodes []snapshot.Node
			if nodes, err = t.ReadDir(dir); err != nil {
				return err
			}
			for _, n := range nodes {
				if err := show(n); err != nil {
					return err
				}
			}
		}
		return errors.Join(err, flush())
	})
}

// relative returns a path of a snapshot in the form for restore-module.
func relative(name string) string {
	if name == "/" {
		return name
	}
	return name[1:]
}

// nodePrinter returns a function that prints nodes, and one that ends the output.
func nodePrinter(sys *host.System, asJSON bool) (show func(snapshot.Node) error, flush func() error) {
	if asJSON {
		lines := newLines(sys.Stdout)
		return func(n snapshot.Node) error { return lines.encode(nodeJSONOf(n)) }, lines.flush
	}
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	return func(n snapshot.Node) error {
		name := shown(relative(n.Path))
		if n.IsDir() {
			name += "/"
		}
		size := "-"
		if n.Type == "file" {
			size = host.FormatBytes(n.Size)
		}
		_, err := fmt.Fprintf(table, "%s\t%d:%d\t%s\t%s\t %s\n", modeText(n.Mode), n.UID, n.GID, size, when(n.MTime), name)
		return err
	}, table.Flush
}

// modeText formats a mode like ls, except that links have a small letter.
func modeText(mode fs.FileMode) string {
	text := mode.String()
	if rest, ok := strings.CutPrefix(text, "L"); ok {
		return "l" + rest
	}
	return text
}

// nodeJSON is a node in the JSON output.
type nodeJSON struct {
	Path  string `json:"path"`
	Type  string `json:"type"`
	Size  uint64 `json:"size"`
	Mode  string `json:"mode"`
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	MTime string `json:"mtime"`
}

func nodeJSONOf(n snapshot.Node) nodeJSON {
	return nodeJSON{relative(n.Path), n.Type, n.Size, n.Mode.String(), n.UID, n.GID, n.MTime.Local().Format(timeJSON)}
}
