/** Authors as BibTeX has them (“Wang, Sifan and Yu, Hanwen and others”) in the forms of a page. */

function people(authors: string): string[] {
  return authors.split(/\s+and\s+|;\s*/).map((name) => name.trim()).filter(Boolean);
}

/** “Sifan Wang, Hanwen Yu et al.” */
export function fullAuthors(authors: string): string {
  const names = people(authors);
  const known = names.filter((name) => name !== 'others').map((name) => {
    const [last = '', first = '', ...more] = name.split(/,\s*/);
    // More than one comma is a list of names in a style of its own.
    return first && !more.length ? `${first} ${last}` : name;
  });
  return known.join(', ') + (names.includes('others') ? ' et al.' : '');
}

/** “Wang et al.” */
export function shortAuthors(authors: string): string {
  const names = people(authors);
  const surname = (name: string) => (name.includes(',') ? name.split(',')[0]! : (name.split(/\s+/).at(-1) ?? name)).trim();
  if (names.length > 2 || names.includes('others') || (names[0]?.split(',').length ?? 0) > 3) return `${surname(names[0]!)} et al.`;
  return names.map(surname).join(' & ');
}
