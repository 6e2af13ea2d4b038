package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
)

// options are the flags that all commands of notify share.
type options struct {
	config, stateDir string
}

// NewCommand returns the command notify.
func NewCommand(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Tell people how the backups are",
		Long: `Tell people how the backups are, over the channels of ` + notifyfile.DefaultPath + `:
mail, webhooks, ntfy, and pings to healthchecks. Failures and what works again are told at
once, in one message; a digest comes once a day, or after each run of a schedule.

"gatewayctl scheduler" and the timers of "gatewayctl schedule install" do this each minute,
and each run of a schedule does it at its end.`,
		Example:     `  gatewayctl --env-file node.env notify test`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRun(sys), newTest(sys), newStatus(sys), newDigest(sys))
	return cmd
}

func status() map[string]string {
	return exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Busy, exit.Redis, exit.Signal)
}

// add adds the shared flags to a command.
func (o *options) add(cmd *cobra.Command) *cobra.Command {
	cmd.Args, cmd.Annotations = cobra.NoArgs, status()
	cmd.Flags().StringVar(&o.config, "config", "", "read `FILE` (default: $GATEWAYCTL_NOTIFY_CONFIG or "+notifyfile.DefaultPath+")")
	cmd.Flags().StringVar(&o.stateDir, "state-dir", "", "`DIR` of this node for what runs must remember (default: as run-backup has it)")
	return cmd
}

// dir returns the node's state directory.
func (o *options) dir(sys *host.System) (string, error) { return history.StateDir(sys.Env, o.stateDir) }

// read reads the configuration file, which must exist.
func (o *options) read(sys *host.System) (*notifyfile.File, string, error) {
	dir, err := o.dir(sys)
	if err != nil {
		return nil, "", err
	}
	path := notifyfile.Path(sys.Env, o.config)
	file, err := notifyfile.Read(path)
	if notifyfile.Missing(err) {
		return nil, "", exit.Failf(exit.Usage, "there is no %s: write one, with a section such as [mail] (see docs/how-to/notify.md)", path)
	}
	return file, dir, exit.With(exit.Usage, err)
}

func newRun(sys *host.System) *cobra.Command {
	var o options
	return o.add(&cobra.Command{
		Use:   "run [flags]",
		Short: "Tell what changed, send the digest if it is due, and what waits",
		Long: `Look once: tell what fails or works again since people were told last, send the digest if
it is due, and what could not be sent before. It may be run as often as you like: nothing
is told twice. Where several things fail, it waits up to a minute for more, and tells all
in one message. Without a file of channels it does nothing.`,
		Example: `  gatewayctl --env-file node.env notify run`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := o.dir(sys)
			if err != nil {
				return err
			}
			err = once(cmd.Context(), sys, notifyfile.Path(sys.Env, o.config), dir, 0)
			if errors.Is(err, errBusy) {
				return exit.With(exit.Busy, err)
			}
			return err
		},
	})
}

func newTest(sys *host.System) *cobra.Command {
	var o options
	var only string
	cmd := o.add(&cobra.Command{
		Use:   "test [flags]",
		Short: "Check the file of channels, and send a test over each",
		Long: `Check the file of channels with all that it names, templates too, send a test message
over each channel, and say for each whether that worked. Redis is not needed. A ping to
healthchecks is one for its log, which changes nothing there.`,
		Example: `  gatewayctl notify test --channel mail`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, dir, err := o.read(sys)
			if err != nil {
				return err
			}
			return test(cmd.Context(), sys, newPass(sys, dir, file), only)
		},
	})
	cmd.Flags().StringVar(&only, "channel", "", "only the one with this `NAME`, that of its section")
	return cmd
}

// test sends a test message over each channel, and prints the results.
func test(ctx context.Context, sys *host.System, p *pass, only string) error {
	for _, wrong := range p.file.Wrong {
		sys.Warnf("%s: %s", p.file.Path, p.clean.Line(wrong.Error()))
	}
	failed := len(p.file.Wrong)
	now := time.Now()
	m := testReport(p.host(), now).Compose(fmt.Sprintf("%s-test-%s", now.UTC().Format("20060102T150405.000Z"), p.node()), p.clean)
	names := p.file.For(func(c *notifyfile.Channel) bool { return only == "" || c.Name == only })
	if len(names) == 0 {
		return exit.Failf(exit.Usage, "%s has no such channel: add a section such as [mail]", p.file.Path)
	}
	results := make([]error, len(names))
	var each sync.WaitGroup
	for i, name := range names {
		each.Go(func() { results[i] = p.senders[name].Send(ctx, m) })
	}
	each.Wait()
	for i, name := range names {
		if err := results[i]; err != nil {
			failed++
			fmt.Fprintf(sys.Stdout, "%s: FAILED: %s\n", name, p.clean.Line(err.Error()))
		} else {
			fmt.Fprintf(sys.Stdout, "%s: sent\n", name)
		}
	}
	if failed > 0 {
		return exit.Failf(exit.Failed, "%d of the checks failed", failed)
	}
	return nil
}

// standing is the output of notify status.
type standing struct {
	Config   string           `json:"config"`
	Channels []string         `json:"channels"`
	Notes    []string         `json:"notes"`
	Waiting  []outbox.Waiting `json:"waiting"`
	Digest   time.Time        `json:"next_digest,omitzero"`
	// Failing lists the failures that were reported, Unsteady the conditions that change
	// too often to report.
	Failing  []string `json:"failing"`
	Unsteady []string `json:"unsteady"`
}

func newStatus(sys *host.System) *cobra.Command {
	var o options
	var asJSON bool
	cmd := o.add(&cobra.Command{
		Use:   "status [flags]",
		Short: "Show the channels, and what could not be sent yet",
		Long: `Show the channels, what people were told that fails, what could not be sent yet and why,
and when the next digest is due. With something that could not be sent, or a mistake in
the file, the exit status is 1.`,
		Example: `  gatewayctl notify status --json | jq '.waiting'`,
		RunE: func(*cobra.Command, []string) error {
			file, dir, err := o.read(sys)
			if err != nil {
				return err
			}
			s, err := stand(newPass(sys, dir, file))
			if err != nil {
				return err
			}
			if asJSON {
				err = sys.PrintJSON(s)
			} else {
				err = s.print(sys.Stdout)
			}
			if err == nil && len(s.Notes) > 0 {
				return exit.Silent(exit.Failed)
			}
			return err
		},
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// stand collects the standing.
func stand(p *pass) (*standing, error) {
	told, err := readState(p.stateDir)
	if err != nil {
		return nil, err
	}
	s := &standing{Config: p.file.Path, Channels: p.file.For(func(*notifyfile.Channel) bool { return true }), Notes: []string{}, Failing: []string{}, Unsteady: []string{}}
	if s.Waiting, err = p.box.Waiting(); err != nil {
		return nil, err
	}
	for _, wrong := range p.file.Wrong {
		s.Notes = append(s.Notes, p.clean.Line(wrong.Error()))
	}
	if unsent := p.box.Unsent(); unsent != "" {
		s.Notes = append(s.Notes, p.clean.Line(unsent))
	}
	if !told.Digest.IsZero() {
		s.Digest = p.file.Digest.Next(told.Digest)
	}
	for _, t := range told.sorted() {
		if t.Told != "" {
			s.Failing = append(s.Failing, t.Title)
		}
		if t.Flapping {
			s.Unsteady = append(s.Unsteady, t.Title)
		}
	}
	return s, nil
}

// print prints it for people.
func (s *standing) print(to io.Writer) error {
	digest := "not by the clock"
	if !s.Digest.IsZero() {
		digest = message.When(s.Digest)
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "channels:\t%s\n", host.OrDash(s.Channels))
	fmt.Fprintf(table, "next digest:\t%s\n", digest)
	fmt.Fprintf(table, "told that it fails:\t%s\n", listed(s.Failing))
	fmt.Fprintf(table, "changes all the time:\t%s\n", listed(s.Unsteady))
	for _, note := range s.Notes {
		fmt.Fprintf(table, "note:\t%s\n", host.Printable(note))
	}
	if len(s.Waiting) > 0 {
		fmt.Fprintln(table, "\nCHANNEL\tSINCE\tTRIES\tNEXT TRY\tSUBJECT\tWHY")
	}
	for _, w := range s.Waiting {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", w.Channel, message.When(w.Since), w.Tries, message.When(w.Next), host.Printable(w.Subject), host.Printable(w.Error))
	}
	return table.Flush()
}

func listed(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return host.Printable(strings.Join(words, ", "))
}

func newDigest(sys *host.System) *cobra.Command {
	var o options
	var asHTML bool
	cmd := o.add(&cobra.Command{
		Use:   "digest [flags]",
		Short: "Print what a digest says now",
		Long: `Print what a digest says now, as text or as the page that mail has beside it. Nothing is
sent, and no file of channels is needed.`,
		Example: `  gatewayctl --env-file node.env notify digest --html >digest.html`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := o.dir(sys)
			if err != nil {
				return err
			}
			file, err := notifyfile.Read(notifyfile.Path(sys.Env, o.config))
			if err != nil && !notifyfile.Missing(err) {
				return exit.With(exit.Usage, err)
			}
			return printDigest(cmd.Context(), sys, newPass(sys, dir, file), asHTML)
		},
	})
	cmd.Flags().BoolVar(&asHTML, "html", false, "print the page")
	return cmd
}

func printDigest(ctx context.Context, sys *host.System, p *pass, asHTML bool) error {
	var err error
	if p.state, err = readState(p.stateDir); err != nil {
		return err
	}
	o := p.observe(ctx, time.Now())
	if o.redis != nil {
		return o.redis
	}
	m, err := p.digest(ctx, o, "")
	if err != nil {
		return err
	}
	text := m.Text
	if asHTML {
		text = m.HTML
	}
	_, err = io.WriteString(sys.Stdout, text)
	return err
}
