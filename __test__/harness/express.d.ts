// These packages ship no types, and the tests need none.
declare module "express";
declare module "express-session";
declare module "passport";
declare module "passport-local";
