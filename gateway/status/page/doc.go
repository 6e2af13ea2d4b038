// Package page renders the pages at /-/status from [status.Facts]: HTML that works without
// scripts, one stylesheet, graphics as inline SVG. It answers no request and knows no user.
// It escapes everything that it shows.
package page
