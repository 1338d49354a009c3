// Express ships no types, and its tests need none.
declare module "express";
