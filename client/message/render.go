package message

import (
	"fmt"
	"html"
	"strings"
)

// longestSubject is more than a phone shows of a subject.
const longestSubject = 120

func (r *Report) subject() string {
	text := "Backups of " + r.Host + ": " + r.Verdict
	if words := []rune(text); len(words) > longestSubject {
		return string(words[:longestSubject]) + "…"
	}
	return text
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// text renders the report as plain text.
func (r *Report) text() string {
	var b strings.Builder
	b.WriteString(r.Verdict + "\n")
	if r.Lead != "" {
		b.WriteString(r.Lead + "\n")
	}
	for _, s := range r.Sections {
		b.WriteString("\n" + strings.ToUpper(s.Title) + "\n")
		for _, row := range s.Rows {
			b.WriteString("- " + row.Title)
			if row.Detail != "" {
				b.WriteString(": " + row.Detail)
			}
			b.WriteString("\n")
			if row.Note != "" {
				b.WriteString("  " + row.Note + "\n")
			}
		}
	}
	fmt.Fprintf(&b, "\n%s, %s\n", r.Host, When(r.At))
	return b.String()
}

// colours are the colours of levels: of a line's edge and of its background.
var colours = map[Level][2]string{
	Good: {"#1a7f37", "#e9f7ec"}, Warning: {"#9a6700", "#fff6d9"}, Bad: {"#c0222b", "#fdecec"}, "": {"#d0d7de", "#ffffff"},
}

// html renders the report as an HTML page. Styles are inline, since many mail programs
// support no others; lines can break anywhere that a phone needs it.
func (r *Report) html() string {
	var b strings.Builder
	esc := html.EscapeString
	b.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">` +
		`<meta name="color-scheme" content="light"><title>` + esc(r.subject()) + `</title></head>` +
		`<body style="margin:0;padding:0;background:#f3f4f6;color:#1f2328;font:16px/1.45 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;overflow-wrap:anywhere">` +
		`<div style="max-width:600px;margin:0 auto;padding:12px">`)
	colour := colours[r.Level]
	b.WriteString(`<div style="background:` + colour[0] + `;color:#ffffff;border-radius:8px;padding:14px 16px">` +
		`<div style="font-size:13px">Backups of ` + esc(r.Host) + `</div>` +
		`<h1 style="margin:2px 0 0;font-size:20px;line-height:1.3">` + esc(r.Verdict) + `</h1></div>`)
	if r.Lead != "" {
		b.WriteString(`<p style="margin:12px 4px 0">` + esc(r.Lead) + `</p>`)
	}
	for _, s := range r.Sections {
		b.WriteString(`<h2 style="margin:20px 4px 6px;font-size:15px">` + esc(s.Title) + `</h2>`)
		for _, row := range s.Rows {
			row.html(&b)
		}
	}
	b.WriteString(`<p style="margin:20px 4px 8px;font-size:13px;color:#57606a">` + esc(When(r.At)) + `</p></div></body></html>` + "\n")
	return b.String()
}

func (r *Row) html(b *strings.Builder) {
	colour := colours[r.Level]
	b.WriteString(`<div style="background:` + colour[1] + `;border-left:4px solid ` + colour[0] + `;border-radius:6px;padding:8px 12px;margin:0 0 6px">` +
		`<div style="font-weight:600">` + html.EscapeString(r.Title) + `</div>`)
	if r.Detail != "" {
		b.WriteString(`<div>` + html.EscapeString(r.Detail) + `</div>`)
	}
	if r.Note != "" {
		b.WriteString(`<div style="font-size:13px;color:#57606a">` + html.EscapeString(r.Note) + `</div>`)
	}
	b.WriteString(`</div>`)
}
