/** Small drawings that go with a word; the word says it, so they are hidden from readers. */

import { html } from "htm/preact";

const SHAPES = {
  alert: "M8 1.6 15 14H1L8 1.6Zm-.75 4.9v3.6h1.5V6.5h-1.5Zm0 4.7v1.5h1.5v-1.5h-1.5Z",
  critical: "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1L5.1 1Zm2.15 3.5v4.6h1.5V4.5h-1.5Zm0 5.7v1.6h1.5v-1.6h-1.5Z",
  high: "M8 1.6 15 14H1L8 1.6Zm-.75 4.9v3.6h1.5V6.5h-1.5Zm0 4.7v1.5h1.5v-1.5h-1.5Z",
  low: "M8 .8 15.2 8 8 15.2.8 8 8 .8Zm0 2.1L2.9 8 8 13.1 13.1 8 8 2.9Zm-.75 2h1.5v3.6h-1.5V4.9Zm0 4.6h1.5V11h-1.5V9.5Z",
  cross: "m4.2 3.1 3.8 3.8 3.8-3.8 1.1 1.1L9.1 8l3.8 3.8-1.1 1.1L8 9.1l-3.8 3.8-1.1-1.1L6.9 8 3.1 4.2l1.1-1.1Z",
  dot: "M8 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8Z",
  ring: "M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3Zm0 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8Z",
  question: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm-.1 9.8v1.5h1.5v-1.5H7.9ZM8.4 4C6.7 4 5.7 5 5.6 6.4h1.5c.1-.7.5-1.1 1.2-1.1.8 0 1.2.5 1.2 1.1 0 1.2-1.8 1.4-1.8 3.3h1.5c0-1.4 1.9-1.7 1.9-3.4C11.1 4.9 10 4 8.4 4Z",
  upload: "M7.25 10.5V4.6L5 6.85 4 5.8 8 1.8l4 4-1 1.05-2.25-2.25v5.9h-1.5ZM2.5 9.5H4v3h8v-3h1.5V14h-11V9.5Z",
};

/** @param {{ name: keyof typeof SHAPES }} props */
export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d=${SHAPES[name]} fill="currentColor" fill-rule="evenodd" />
  </svg>
`;

export const Logo = () => html`
  <svg class="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false"
    fill="none" stroke="currentColor" stroke-width="2.4" stroke-linejoin="round" stroke-linecap="round">
    <rect x="2" y="8" width="25" height="16" rx="3" />
    <path d="M29.5 13v6M6 19h4v-5h5v3h5v-4h3" />
  </svg>
`;
