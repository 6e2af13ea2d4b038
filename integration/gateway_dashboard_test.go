package integration

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what of Grafana's model asks Prometheus for something.
type dashboard struct {
	Panels     []dashboardPanel
	Templating struct{ List []dashboardVariable }
}

type dashboardPanel struct {
	Title, Type string
	Targets     []struct{ Expr, LegendFormat string }
}

type dashboardVariable struct {
	Name, Type, AllValue string
	Multi                bool
	Query                any
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	legendLabel = regexp.MustCompile(`{{(\w+)}}`)
)

// wantDashboard does what Grafana does with the dashboard of deploy/: it asks
// Prometheus what may be chosen, which must be the values given, and fills every panel
// with all of them chosen, and with each one by its name.
func wantDashboard(t *testing.T, p *prometheus, choices map[string][]string) {
	t.Helper()
	text, err := os.ReadFile("../deploy/grafana/rclone-gateway.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	// Four scrapes of the interval of deploy/prometheus.
	everything, named := []string{"$__rate_interval", "1m"}, []string{"$__rate_interval", "1m"}
	for _, v := range d.Templating.List {
		if v.Type == "datasource" {
			continue
		}
		got := v.choices(t, p, strings.NewReplacer(everything...))
		if !slices.Equal(got, slices.Sorted(slices.Values(choices[v.Name]))) {
			t.Errorf("of the variable %s one may choose %q, want %q", v.Name, got, choices[v.Name])
		}
		everything = append(everything, "$"+v.Name, v.AllValue)
		named = append(named, "$"+v.Name, chosen(got))
	}
	queries := 0
	for _, panel := range d.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("the panel %q asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			queries++
			wantSeries(t, p, panel.Title, strings.NewReplacer(everything...).Replace(target.Expr), target.LegendFormat)
			wantSeries(t, p, panel.Title, strings.NewReplacer(named...).Replace(target.Expr), target.LegendFormat)
		}
	}
	if queries < 20 {
		t.Errorf("the dashboard has %d queries", queries)
	}
}

// choices asks for what may be chosen, where the variables before it are filled in.
func (v dashboardVariable) choices(t *testing.T, p *prometheus, before *strings.Replacer) []string {
	t.Helper()
	query, _ := v.Query.(map[string]any)
	text, _ := query["query"].(string)
	parts := labelValues.FindStringSubmatch(before.Replace(text))
	if parts == nil || !v.Multi || v.AllValue == "" {
		t.Fatalf("the variable %s: %+v", v.Name, v)
	}
	var values []string
	p.get(t, "/api/v1/label/"+parts[2]+"/values?match[]="+url.QueryEscape(parts[1]), &values)
	return values
}

// chosen is how Grafana writes several values into the pattern of a matcher.
func chosen(values []string) string {
	escaped := make([]string, len(values))
	for i, value := range values {
		escaped[i] = strings.ReplaceAll(regexp.QuoteMeta(value), `\`, `\\`)
	}
	return "(" + strings.Join(escaped, "|") + ")"
}

// wantSeries waits until an expression gives series that have the labels of the legend.
func wantSeries(t *testing.T, p *prometheus, panel, expr, legend string) {
	t.Helper()
	if strings.Contains(expr, "$") {
		t.Errorf("%s: a variable that nobody fills in: %s", panel, expr)
		return
	}
	var data struct {
		Result []struct{ Metric map[string]string }
	}
	waitFor(t, panel+": data for "+expr, func() bool {
		p.get(t, "/api/v1/query?query="+url.QueryEscape(expr), &data)
		return len(data.Result) > 0
	})
	for _, label := range legendLabel.FindAllStringSubmatch(legend, -1) {
		for _, series := range data.Result {
			if series.Metric[label[1]] == "" {
				t.Errorf("%s: the legend names %s, which %v lacks", panel, label[1], series.Metric)
			}
		}
	}
}
