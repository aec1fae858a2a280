/// <reference types="vite/client" />
declare module 'virtual:catalog' {
  const catalog: import('./lib/catalog').Catalog;
  export default catalog;
}
declare module 'virtual:papers' {
  const papers: import('./lib/catalog').Paper[];
  export default papers;
}
declare module 'virtual:sources' {
  const sources: import('./lib/catalog').SourceText[];
  export default sources;
}
