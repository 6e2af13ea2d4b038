// Package page makes the pages at /-/status out of [status.Facts]: HTML that works without
// scripts, one stylesheet, pictures as inline SVG. It answers no request and knows no
// user: what it is given, it shows, escaped.
package page
