// Package scoring holds the nouns and the arithmetic.
package scoring
