// Package page looks at the pages of a gateway with a real browser: Debian's Chromium,
// driven by playwright-core, with axe-core to find what keeps people out. One browser
// looks at all of them: without modules, with one and with many, on a phone and on a
// desktop, light and dark, with and without JavaScript. It holds nothing but tests.
//
// With UPDATE_DOCS set it writes the pictures of the documentation.
package page
